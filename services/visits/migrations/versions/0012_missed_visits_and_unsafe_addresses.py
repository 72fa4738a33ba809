"""visits are missed at the end of their local day; an unsafe visit keeps a case off"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIMES = ("day_ends_at", "dispatched_at", "overdue_since")
WORDS = ("missed_reason", "missed_status")


def upgrade() -> None:
    for name in TIMES:
        op.add_column("visit", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in WORDS:
        op.add_column("visit", sa.Column(name, sa.String(), nullable=True))
    op.add_column("caseload", sa.Column("unsafe_since", sa.DateTime(timezone=True), nullable=True))
    _fill_day_ends()
    op.create_index("ix_visit_status_day_ends_at", "visit", ["status", "day_ends_at"])


def _fill_day_ends() -> None:
    """One statement for each day of a time zone."""
    visit = sa.table(
        "visit",
        sa.column("day", sa.Date()),
        sa.column("time_zone", sa.String()),
        sa.column("day_ends_at", sa.DateTime(timezone=True)),
    )
    connection = op.get_bind()
    for day, zone in connection.execute(sa.select(visit.c.day, visit.c.time_zone).distinct()).all():
        ends_at = _end(day, zone)
        connection.execute(
            visit.update().where(visit.c.day == day, visit.c.time_zone == zone).values(day_ends_at=ends_at)
        )


def _end(day: date, zone: str) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def downgrade() -> None:
    op.drop_index("ix_visit_status_day_ends_at", "visit")
    op.drop_column("caseload", "unsafe_since")
    for name in (*WORDS, *TIMES):
        op.drop_column("visit", name)
