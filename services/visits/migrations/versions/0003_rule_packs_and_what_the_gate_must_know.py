"""the register of rule packs and what the gate must know."""

from datetime import UTC

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


CASELOAD = sa.table(
    "caseload",
    sa.column("id", sa.Uuid),
    sa.column("prior_notice_at", sa.DateTime(timezone=True)),
    sa.column("notices", sa.JSON),
)


def upgrade() -> None:
    op.create_table(
        "ground",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proof_digest", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ground")),
    )
    op.create_index(op.f("ix_ground_case_id"), "ground", ["case_id"], unique=False)
    op.create_table(
        "law_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("pack_version", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_law_version")),
    )
    op.create_table(
        "rule_pack_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pack", sa.String(), nullable=False),
        sa.Column("pack_version", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("yaml", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_pack_version")),
        sa.UniqueConstraint("pack", "pack_version", name=op.f("uq_rule_pack_version_pack_pack_version")),
    )
    op.add_column("caseload", sa.Column("region", sa.String(), nullable=True))
    op.add_column("caseload", sa.Column("transferred", sa.Boolean(), nullable=True))
    op.add_column("caseload", sa.Column("notices", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("caseload", sa.Column("place_type", sa.String(), nullable=False, server_default="HOME"))
    op.add_column("caseload", sa.Column("consents", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("caseload", sa.Column("grounds", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("caseload", sa.Column("quiet_periods", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("caseload", sa.Column("preference", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("caseload", sa.Column("asked_to_leave", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("caseload", sa.Column("last_visit_at", sa.DateTime(timezone=True), nullable=True))
    connection = op.get_bind()
    told = sa.select(CASELOAD.c.id, CASELOAD.c.prior_notice_at).where(CASELOAD.c.prior_notice_at.is_not(None))
    for row in connection.execute(told).all():
        sent_at = row.prior_notice_at if row.prior_notice_at.tzinfo else row.prior_notice_at.replace(tzinfo=UTC)
        notices = {"PRIOR_NOTICE": [sent_at.astimezone(UTC).isoformat()]}
        connection.execute(sa.update(CASELOAD).where(CASELOAD.c.id == row.id).values(notices=notices))
    op.drop_column("caseload", "prior_notice_at")


def downgrade() -> None:
    op.add_column("caseload", sa.Column("prior_notice_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_column("caseload", "last_visit_at")
    op.drop_column("caseload", "asked_to_leave")
    op.drop_column("caseload", "preference")
    op.drop_column("caseload", "quiet_periods")
    op.drop_column("caseload", "grounds")
    op.drop_column("caseload", "consents")
    op.drop_column("caseload", "place_type")
    op.drop_column("caseload", "notices")
    op.drop_column("caseload", "transferred")
    op.drop_column("caseload", "region")
    op.drop_table("rule_pack_version")
    op.drop_table("law_version")
    op.drop_index(op.f("ix_ground_case_id"), table_name="ground")
    op.drop_table("ground")
