"""Lock a followed case. Every room of followup changes what belongs to a case under this lock."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Select, select
from sqlmodel import col

from services.followup.caseload.tables import FollowedCaseRow
from shared.bulk import among
from shared.database import Transaction


async def lock(tx: Transaction, lenders: Mapping[UUID, str | None]) -> dict[UUID, FollowedCaseRow]:
    """The rows of cases, locked by one statement, in the order of their ids. `lenders`: whose they are, where the event
    says so. The first event of a case adds it to the session."""
    wanted = among(tx, col(FollowedCaseRow.id), lenders)
    found = await tx.session.scalars(locking(skip_locked=False).where(wanted).order_by(col(FollowedCaseRow.id)))
    rows = {row.id: row for row in found}
    for case_id, lender_id in lenders.items():
        if case_id not in rows:
            rows[case_id] = FollowedCaseRow(id=case_id)
            tx.session.add(rows[case_id])
        rows[case_id].lender_id = rows[case_id].lender_id or lender_id
    return rows


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
