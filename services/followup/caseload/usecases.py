"""Lock a followed case. Every room of followup changes what belongs to a case under this lock."""

from uuid import UUID

from sqlalchemy import Select, select

from services.followup.caseload.tables import FollowedCaseRow
from shared.database import Transaction


async def lock(tx: Transaction, case_id: UUID, lender_id: str | None) -> FollowedCaseRow:
    """The row of a case, locked. The first event of a case adds it to the session."""
    row = await tx.session.get(FollowedCaseRow, case_id, with_for_update=True)
    if row is None:
        row = FollowedCaseRow(id=case_id)
        tx.session.add(row)
    row.lender_id = row.lender_id or lender_id
    return row


def locking(*, skip_locked: bool) -> Select[FollowedCaseRow]:
    """A statement that locks cases and reads them as they are then. The caller joins its own table and narrows it.
    `skip_locked` passes over the cases that another transaction holds."""
    return (
        select(FollowedCaseRow)
        .with_for_update(of=FollowedCaseRow, skip_locked=skip_locked)
        .execution_options(populate_existing=True)
    )


def note_retention(row: FollowedCaseRow, retention: str | None) -> None:
    """The retention class that an event of a locked case names. One of an older release names none."""
    row.retention = retention or row.retention
