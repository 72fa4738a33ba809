"""consents, complaints and checked contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("proof_digest", sa.String(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_by", sa.String(), nullable=False),
        sa.Column("answer_due_on", sa.Date(), nullable=False),
        sa.Column("answer_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_by_rule", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("answer_digest", sa.String(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
    )
    op.create_index(op.f("ix_complaint_case_id"), "complaint", ["case_id"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proof_digest", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_case_id"), "consent", ["case_id"], unique=False)
    op.create_table(
        "contact_preference",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("inconvenient_places", sa.JSON(), nullable=False),
        sa.Column("employer_forbids", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_contact_preference")),
    )
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
        "quiet_period",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("proof_digest", sa.String(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quiet_period")),
    )
    op.create_index(op.f("ix_quiet_period_case_id"), "quiet_period", ["case_id"], unique=False)
    op.add_column("address", sa.Column("place_type", sa.String(), nullable=True))
    op.add_column("case_file", sa.Column("region", sa.String(), nullable=True))
    op.add_column("case_file", sa.Column("transferred", sa.Boolean(), nullable=True))
    op.add_column("contact_attempt", sa.Column("contact_point", sa.String(), nullable=False, server_default="phone-1"))
    op.add_column("contact_attempt", sa.Column("person", sa.String(), nullable=False, server_default="DEBTOR"))
    op.add_column("contact_attempt", sa.Column("flagged", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("contact_attempt", sa.Column("is_flagged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_contact_attempt_flagged", "contact_attempt", ["is_flagged", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_contact_attempt_flagged", table_name="contact_attempt")
    op.drop_column("contact_attempt", "is_flagged")
    op.drop_column("contact_attempt", "flagged")
    op.drop_column("contact_attempt", "person")
    op.drop_column("contact_attempt", "contact_point")
    op.drop_column("case_file", "transferred")
    op.drop_column("case_file", "region")
    op.drop_column("address", "place_type")
    op.drop_index(op.f("ix_quiet_period_case_id"), table_name="quiet_period")
    op.drop_table("quiet_period")
    op.drop_table("law_version")
    op.drop_table("contact_preference")
    op.drop_index(op.f("ix_consent_case_id"), table_name="consent")
    op.drop_table("consent")
    op.drop_index(op.f("ix_complaint_case_id"), table_name="complaint")
    op.drop_table("complaint")
