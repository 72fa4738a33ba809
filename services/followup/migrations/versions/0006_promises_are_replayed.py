"""promises keep all that their replay follows from; what has ended under earlier rules is not judged again"""

from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PAGE = 1_000
_DATE = sa.DateTime(timezone=True)


def _column(name: str, kind: sa.types.TypeEngine[Any], default: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text(default))


def upgrade() -> None:
    with op.batch_alter_table("promise") as table:
        for name in ("missed", "accounts"):
            table.add_column(_column(name, sa.JSON(), "'[]'"))
        table.add_column(_column("grace_in", sa.String(), "'CALENDAR'"))
        table.add_column(_column("on_missed", sa.String(), "'END'"))
        table.add_column(_column("tolerance_minor", sa.BigInteger(), "0"))
        for name in ("down_payment", "by_balance", "frozen"):
            table.add_column(_column(name, sa.Boolean(), "false"))
        for name in ("judgement", "asked_at"):
            table.add_column(_column(name, sa.Integer(), "0"))
        table.add_column(sa.Column("acted_at", _DATE, nullable=True))
        table.add_column(sa.Column("ended_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("superseded_by", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("cancelled_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("cancel_reason", sa.String(), nullable=True))
    with op.batch_alter_table("received") as table:
        table.add_column(_column("provisional", sa.Boolean(), "false"))
        table.add_column(_column("reversed_minor", sa.BigInteger(), "0"))
    _fill()
    op.drop_index("ix_promise_status_check_at", table_name="promise")
    with op.batch_alter_table("promise") as table:
        table.alter_column("acted_at", existing_type=_DATE, nullable=False)
        table.drop_column("superseded_on")
    op.create_index("ix_promise_check_at", "promise", ["check_at"])


def _fill() -> None:
    """Each promise in pages: the last day that counts of each instalment, and the day on which it ended."""
    connection = op.get_bind()
    promise = sa.Table("promise", sa.MetaData(), autoload_with=connection)
    connection.execute(sa.update(promise).values(acted_at=promise.c.made_at, frozen=promise.c.status != "ACTIVE"))
    after = None
    while rows := connection.execute(_page(promise, after)).all():
        for row in rows:
            connection.execute(
                sa.update(promise)
                .where(promise.c.id == row.id)
                .values(
                    instalments=[_counted(item, row.grace_days) for item in row.instalments],
                    ended_on=_day_of(row),
                )
            )
        after = rows[-1].id


def _page(promise: sa.Table, after: object) -> sa.Select[Any]:
    page = sa.select(promise).order_by(promise.c.id).limit(PAGE)
    return page if after is None else page.where(promise.c.id > after)


def _counted(item: dict[str, object], grace_days: int) -> dict[str, object]:
    until = date.fromisoformat(str(item["due_on"])) + timedelta(days=grace_days)
    return {**item, "counts_until": until.isoformat()}


def _day_of(row: sa.Row[Any]) -> date | None:
    """The day of the newer promise, or the debtor's day on which it ended."""
    day: date | None = row.superseded_on
    if day is None and row.ended_at is not None:
        day = row.ended_at.replace(tzinfo=row.ended_at.tzinfo or UTC).astimezone(ZoneInfo(row.time_zone)).date()
    return day


def downgrade() -> None:
    raise RuntimeError("a promise that was judged again cannot go back to the earlier rules")
