"""keys of visits, people and plans move to the keys of subjects; what they sealed stays as it is"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


@dataclass(frozen=True)
class _Keys:
    """The keys of one table. `subject` is a path with the columns of ids in braces."""

    table: str
    of_class: str
    subject: str
    source: str = ""
    nullable: bool = False

    @property
    def path(self) -> str:
        """The subject as an expression of SQL: an id is its 32 hexadecimal digits."""
        steps = [_hex(step[1:-1]) if step.startswith("{") else f"'{step}'" for step in self.subject.split("/")]
        return " || '/' || ".join(steps)


MOVED = (
    _Keys(
        "visit_secret",
        "visit",
        "case/{visit.case_id}/visit/{visit.id}",
        source="visit_secret JOIN visit ON visit.id = visit_secret.visit_id",
    ),
    _Keys("collector", "record", "collector/{collector.id}"),
    _Keys("team_members", "reason", "team/{team_members.team_id}/members/{team_members.id}", nullable=True),
    _Keys("plan_basis", "basis", "plan/{plan_basis.plan_id}"),
)


def upgrade() -> None:
    for keys in MOVED:
        op.execute(
            "INSERT INTO subject_key (subject, class, wrapped, kek_id) "
            f"SELECT {keys.path}, '{keys.of_class}', wrapped_key, 'before' FROM {keys.source or keys.table} "
            "WHERE wrapped_key IS NOT NULL"
        )
        op.drop_column(keys.table, "wrapped_key")


def downgrade() -> None:
    classes = ", ".join(f"'{keys.of_class}'" for keys in MOVED)
    newer = f"SELECT count(*) FROM subject_key WHERE class IN ({classes}) AND kek_id IS DISTINCT FROM 'before'"
    if op.get_bind().scalar(sa.text(newer)):
        raise RuntimeError("keys of visits are wrapped by a newer master key: restore a backup of that release")
    for keys in MOVED:
        empty = None if keys.nullable else sa.text("''")
        column = sa.Column("wrapped_key", sa.LargeBinary(), server_default=empty, nullable=keys.nullable)
        op.add_column(keys.table, column)
        same = f" AND visit.id = {keys.table}.visit_id" if keys.source else ""
        tables = "subject_key, visit" if keys.source else "subject_key"
        key = f"SELECT wrapped FROM {tables} WHERE subject = {keys.path} AND class = '{keys.of_class}'{same}"
        op.execute(f"UPDATE {keys.table} SET wrapped_key = ({key})")
    op.execute(f"DELETE FROM subject_key WHERE class IN ({classes})")


def _hex(column: str) -> str:
    return column if op.get_bind().dialect.name == "sqlite" else f"replace({column}::text, '-', '')"
