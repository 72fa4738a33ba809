"""versions of packs in the columns that all versioned documents share

A version has a number within its pack, by the order of upload.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

NAMES = {"pack": "document", "pack_version": "name", "yaml": "content"}
TABLE = sa.table(
    "rule_pack_version",
    sa.column("id", sa.Uuid()),
    sa.column("document", sa.String()),
    sa.column("number", sa.Integer()),
)


def upgrade() -> None:
    with op.batch_alter_table("rule_pack_version") as table:
        table.drop_constraint(op.f("uq_rule_pack_version_pack_pack_version"), type_="unique")
        for old, new in NAMES.items():
            table.alter_column(old, new_column_name=new)
        table.add_column(sa.Column("number", sa.Integer(), nullable=True))
        table.add_column(sa.Column("withdrawn_by", sa.String(), nullable=True))
        table.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    _number()
    with op.batch_alter_table("rule_pack_version") as table:
        table.alter_column("number", nullable=False)
        table.create_unique_constraint(op.f("uq_rule_pack_version_document_name"), ["document", "name"])
        table.create_unique_constraint(op.f("uq_rule_pack_version_document_number"), ["document", "number"])
    op.add_column("kept_pack", sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=True))


def _number() -> None:
    connection = op.get_bind()
    given: dict[str, int] = {}
    for row in connection.execute(sa.select(TABLE.c.id, TABLE.c.document).order_by(TABLE.c.id)).all():
        given[row.document] = given.get(row.document, 0) + 1
        connection.execute(sa.update(TABLE).where(TABLE.c.id == row.id).values(number=given[row.document]))


def downgrade() -> None:
    op.drop_column("kept_pack", "first_used_at")
    with op.batch_alter_table("rule_pack_version") as table:
        table.drop_constraint(op.f("uq_rule_pack_version_document_number"), type_="unique")
        table.drop_constraint(op.f("uq_rule_pack_version_document_name"), type_="unique")
        for column in ("withdrawn_at", "withdrawn_by", "number"):
            table.drop_column(column)
        for old, new in NAMES.items():
            table.alter_column(new, new_column_name=old)
    with op.batch_alter_table("rule_pack_version") as table:
        table.create_unique_constraint(op.f("uq_rule_pack_version_pack_pack_version"), ["pack", "pack_version"])
