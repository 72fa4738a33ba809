"""Find, lock and change the row of a case."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, union
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.visits.base import LAWBOOK
from services.visits.caseload.tables import CaseloadRow, LenderAgencyRow
from shared.bulk import rows_by_id
from shared.database import Transaction
from shared.law import ConsentScope, HoldReason, HoldScope, VisitPurpose, retention_of
from shared.outgoing import Cases

# Contact visits older than this matter to no rule.
CONTACT_VISITS_KEPT = 10
# Phones report a week late at most.
HOLDS_KEPT = timedelta(days=30)
# Where a transaction keeps the rows that it has locked.
_LOCKED = "caseload"


async def row_of(tx: Transaction, case_id: UUID, lender_id: str | None) -> CaseloadRow:
    """The row of a case, locked; made now if this is the first that is heard of it. One look-up a transaction:
    a batch of events works on the same rows and is written once."""
    seen: dict[UUID, CaseloadRow] = tx.session.info.setdefault(_LOCKED, {})
    if case_id not in seen:
        row = await tx.session.get(CaseloadRow, case_id, with_for_update=True)
        if row is None:
            row = CaseloadRow(id=case_id)
            tx.session.add(row)
        seen[case_id] = row
    row = seen[case_id]
    row.lender_id = row.lender_id or lender_id
    return row


async def lock_all(tx: Transaction, case_ids: Sequence[UUID]) -> dict[UUID, CaseloadRow]:
    """Rows locked in the order of their ids, so that two callers never wait for each other in a ring."""
    return await _lock(tx, col(CaseloadRow.id).in_(case_ids)) if case_ids else {}


async def _lock(tx: Transaction, wanted: ColumnElement[bool]) -> dict[UUID, CaseloadRow]:
    statement = select(CaseloadRow).where(wanted).order_by(col(CaseloadRow.id))
    rows = await tx.session.scalars(statement.with_for_update().execution_options(populate_existing=True))
    found = {row.id: row for row in rows}
    tx.session.info.setdefault(_LOCKED, {}).update(found)
    return found


async def retention_classes(tx: Transaction, wanted: Sequence[Cases]) -> dict[Cases, str]:
    """The retention class of what happens to these cases, by the law of their places."""
    rows = await find_all(tx, {each for cases in wanted for each in cases})
    opened = {cases: [rows[each] for each in cases if each in rows and rows[each].opened] for cases in wanted}
    law = await LAWBOOK.law(tx)
    return {cases: retention_of(law, found, tx.now).rule_id for cases, found in opened.items() if found}


async def lock_person(tx: Transaction, case_id: UUID) -> dict[UUID, CaseloadRow]:
    """A case, and all other cases of the same person, locked: what is done in one counts for the others."""
    return await lock_persons(tx, [case_id])


async def lock_persons(tx: Transaction, case_ids: Sequence[UUID]) -> dict[UUID, CaseloadRow]:
    """The same for several cases, all locked in the order of their ids, in one statement."""
    other = aliased(CaseloadRow)
    same_person = select(col(other.id)).join(CaseloadRow, col(other.person_ref) == col(CaseloadRow.person_ref))
    ids = union(
        select(col(CaseloadRow.id)).where(col(CaseloadRow.id).in_(case_ids)),
        same_person.where(col(CaseloadRow.id).in_(case_ids)),
    )
    return await _lock(tx, col(CaseloadRow.id).in_(ids))


async def _cases_of(tx: Transaction, refs: Sequence[str]) -> Sequence[UUID]:
    if not refs:
        return []
    found = await tx.session.scalars(select(col(CaseloadRow.id)).where(col(CaseloadRow.person_ref).in_(refs)))
    return found.all()


async def other_cases(tx: Transaction, row: CaseloadRow) -> list[UUID]:
    """The other cases of the same person."""
    return [case_id for case_id in await _cases_of(tx, [row.person_ref] if row.person_ref else []) if case_id != row.id]


async def recognise(tx: Transaction, row: CaseloadRow, ref: str) -> None:
    """It is known now whom a case is about: contact visits of the person's other cases count for it."""
    row.person_ref = ref
    await tx.session.flush()
    for other in (await lock_all(tx, await other_cases(tx, row))).values():
        row.other_visits = [*row.other_visits, *other.contact_visits]
        other.other_visits = [*other.other_visits, *row.contact_visits]
        row.unsafe_since = other.unsafe_since = _later(row.unsafe_since, other.unsafe_since)


async def find_all(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, CaseloadRow]:
    """Rows to look at, without a lock."""
    return await rows_by_id(tx, CaseloadRow, col(CaseloadRow.id), case_ids)


async def agencies_of(tx: Transaction, rows: Iterable[CaseloadRow]) -> dict[str | None, LenderAgencyRow]:
    """What the lenders of these cases have recorded about us; those that have not are left out."""
    lender_ids = {row.lender_id for row in rows}
    found = await tx.session.scalars(select(LenderAgencyRow).where(col(LenderAgencyRow.lender_id).in_(lender_ids)))
    return {row.lender_id: row for row in found}


def hold(row: CaseloadRow, hold_id: UUID, reason: HoldReason, scope: HoldScope, *, since: datetime) -> None:
    """Contact stops, from a time on. Where it stopped before under the same id, that stays on record beside it."""
    placed = {"reason": reason, "scope": scope, "from": since.isoformat()}
    before = row.holds.get(str(hold_id), {})
    kept = {f"{hold_id} until {before['until']}": before} if "until" in before else {}
    row.holds = {**row.holds, **kept, str(hold_id): placed}


def release(row: CaseloadRow, hold_id: UUID, *, at: datetime) -> None:
    """A hold ended; one that has ended keeps its end. It is kept as long as a person may still report what was done
    under it."""
    holds = {key: each for key, each in row.holds.items() if not _ended_before(each, at - HOLDS_KEPT)}
    if str(hold_id) in holds:
        holds[str(hold_id)] = {"until": at.isoformat(), **holds[str(hold_id)]}
    row.holds = holds


def _ended_before(hold: Mapping[str, Any], at: datetime) -> bool:
    return "until" in hold and datetime.fromisoformat(hold["until"]) < at


def want(row: CaseloadRow, *, purpose: str, promise_id: UUID | None = None) -> None:
    """A visit is wanted, from now on, for a purpose; `promise_id` names the promise that it follows from."""
    row.wanted = True
    row.purpose, row.wanted_by = purpose, promise_id
    name_purpose(row)


def name_purpose(row: CaseloadRow) -> None:
    """A follow-up visit that the debtor has asked for is an agreed one, and no other is."""
    if row.purpose not in (VisitPurpose.FOLLOW_UP, VisitPurpose.AGREED_REVISIT):
        return
    asked = any(
        each["scope"] == ConsentScope.DEBTOR_REQUEST and "withdrawn_at" not in each for each in row.consents.values()
    )
    row.purpose = VisitPurpose.AGREED_REVISIT if asked else VisitPurpose.FOLLOW_UP


def is_wanted_by(row: CaseloadRow, promise_id: UUID) -> bool:
    """Whether the visit that is wanted follows from this promise."""
    return row.wanted and row.wanted_by == promise_id


async def note_visit(
    tx: Transaction, row: CaseloadRow, ended_at: datetime, *, contact: bool, asked_to_leave_at: datetime | None
) -> None:
    """A visit took place: whether it met the right party, and whether the collectors were asked to leave. The caller
    has locked the person's cases."""
    row.last_visit_at = max(row.last_visit_at or ended_at, ended_at)
    if contact:
        row.contact_visits = [*row.contact_visits, ended_at.isoformat()][-CONTACT_VISITS_KEPT:]
        for other in (await lock_all(tx, await other_cases(tx, row))).values():
            other.other_visits = [*other.other_visits, ended_at.isoformat()][-CONTACT_VISITS_KEPT:]
    if asked_to_leave_at is not None:
        row.asked_to_leave = [*row.asked_to_leave, asked_to_leave_at.isoformat()][-CONTACT_VISITS_KEPT:]


def settle(row: CaseloadRow, *, again_on: date | None) -> None:
    """A visit was made. Another one is wanted from a day on; or none (None, or the case is closed), until it is asked
    for."""
    row.wanted = again_on is not None and row.closed_at is None
    if again_on is not None:
        row.not_before = again_on


def close(row: CaseloadRow, at: datetime, *, left: bool) -> None:
    """Nothing is demanded any more. `left`: the case is no longer placed with us, so that all contact stops."""
    settle(row, again_on=None)
    row.closed_at = at
    if left:
        hold(row, row.id, HoldReason.LENDER_RECALL, HoldScope.ALL, since=at)


def reopen(row: CaseloadRow, at: datetime) -> None:
    """Something is demanded again. A visit is wanted once the case is referred again."""
    row.closed_at = None
    release(row, row.id, at=at)


def record_ground(
    row: CaseloadRow, ground_id: UUID, *, ground: str, given_at: datetime, valid_until: datetime | None
) -> None:
    """A ground lifts a rule for a locked case, from a time on, until it ends."""
    grant = {"scope": ground, "given_at": given_at.isoformat()}
    if valid_until is not None:
        grant["valid_until"] = valid_until.isoformat()
    row.grounds = {**row.grounds, str(ground_id): grant}


def not_before(row: CaseloadRow, day: date) -> None:
    """The next visit is on this day at the earliest; a later day that is known stays."""
    row.not_before = max(row.not_before or day, day)


async def mark_unsafe(tx: Transaction, row: CaseloadRow) -> None:
    """It is known now that a visit was broken off as unsafe: the person's cases are hazardous until a newer safety
    plan. The caller has locked them."""
    for each in (row, *(await lock_all(tx, await other_cases(tx, row))).values()):
        each.unsafe_since = tx.now


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)
