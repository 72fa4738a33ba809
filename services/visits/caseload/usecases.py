"""Find, lock and change the row of a case; and put its facts into the law's words."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload.tables import CaseloadRow
from shared.database import Transaction
from shared.law import Facts, HoldFacts, HoldReason, HoldScope, NoticeKind, VisitPurpose

# Contact visits older than this matter to no rule.
CONTACT_VISITS_KEPT = 10


async def row_of(tx: Transaction, case_id: UUID, lender_id: str | None) -> CaseloadRow:
    """The row of a case, locked; made now if this is the first that is heard of it. One look-up a transaction:
    a batch of events works on the same rows and is written once."""
    seen: dict[UUID, CaseloadRow] = tx.session.info.setdefault("caseload", {})
    if case_id not in seen:
        row = await tx.session.get(CaseloadRow, case_id, with_for_update=True)
        if row is None:
            row = CaseloadRow(id=case_id, holds={}, active_promises=[], contact_visits=[])
            tx.session.add(row)
        seen[case_id] = row
    row = seen[case_id]
    row.lender_id = row.lender_id or lender_id
    return row


async def lock_all(tx: Transaction, case_ids: Sequence[UUID]) -> dict[UUID, CaseloadRow]:
    """Rows locked in the order of their ids, so that two callers never wait for each other in a ring."""
    statement = select(CaseloadRow).where(col(CaseloadRow.id).in_(case_ids)).order_by(col(CaseloadRow.id))
    rows = await tx.session.scalars(statement.with_for_update().execution_options(populate_existing=True))
    return {row.id: row for row in rows}


def want(row: CaseloadRow, *, purpose: str) -> None:
    """A visit is wanted, from now on, for a purpose."""
    row.wanted = True
    row.purpose = purpose


def facts_of(row: CaseloadRow, at: datetime) -> Facts:
    """What is known of a case, for the gate, at the time of an act."""
    holds = [HoldFacts(reason=HoldReason(h["reason"]), scope=HoldScope(h["scope"])) for h in row.holds.values()]
    if row.active_promises:
        holds.append(HoldFacts(reason=HoldReason.PROMISE_ACTIVE, scope=HoldScope.VISIT))
    return Facts(
        jurisdiction=row.jurisdiction,
        at=at,
        country=row.country or None,
        time_zone=row.time_zone or None,
        purpose=VisitPurpose(row.purpose),
        address_verified=row.address_verified,
        hazard=row.hazard,
        holds=tuple(holds),
        contact_visits=tuple(datetime.fromisoformat(visit) for visit in row.contact_visits),
        product=row.product or None,
        notices={NoticeKind.PRIOR_NOTICE: row.prior_notice_at} if row.prior_notice_at else {},
    )


def note_contact(row: CaseloadRow, at: datetime) -> None:
    """A visit met the right party."""
    row.contact_visits = [*row.contact_visits, at.isoformat()][-CONTACT_VISITS_KEPT:]
