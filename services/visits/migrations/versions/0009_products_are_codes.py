"""products are codes

A cell of a file was stored as a product as it stood, so a product may hold a name. What is no code becomes OTHER, which
no rule names, as no rule named the text. Events of these cases are in the trail and stay there.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CODE = re.compile(r"[A-Z_]{2,40}")


def upgrade() -> None:
    for name in ("caseload",):
        table = sa.table(name, sa.column("product", sa.String()))
        found = op.get_bind().scalars(sa.select(table.c.product).distinct()).all()
        for text in found:
            if text and not CODE.fullmatch(text):
                op.execute(table.update().where(table.c.product == text).values(product="OTHER"))


def downgrade() -> None:
    """The text is gone for good, and nothing needs it."""
