"""What other rooms do with a case: lock it, change its balance, note what happened to it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.casefile import domain
from services.cases.casefile.tables import CaseRow
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import CaseUpdated, DebtorReached
from shared.events.values import Amount
from shared.money import Money


def _unknown(case_id: UUID) -> NotFound:
    return NotFound("case-not-found", "There is no such case here.", case_id=str(case_id))


async def lock(tx: Transaction, case_id: UUID, *, seen_by: Actor | None = None) -> CaseRow:
    """The case, locked until the commit: every event of it is written under this lock, so they keep their order.
    Raises NotFound for a case that does not exist or that is not this actor's to see."""
    statement = select(CaseRow).where(col(CaseRow.id) == case_id).with_for_update()
    case = await tx.session.scalar(statement.execution_options(populate_existing=True))
    if case is None or (seen_by is not None and not may_see(case, seen_by)):
        raise _unknown(case_id)
    return case


def may_see(case: CaseRow, actor: Actor) -> bool:
    """A lender sees its own cases only."""
    return not actor.has(Role.LENDER) or case.lender_id == actor.lender_id


async def lock_all(tx: Transaction, case_ids: Sequence[UUID], *, seen_by: Actor | None = None) -> dict[UUID, CaseRow]:
    """Several cases, locked in the order of their ids, so that two callers never wait for each other in a ring.
    Those that are not this actor's to see are left out."""
    statement = select(CaseRow).where(col(CaseRow.id).in_(set(case_ids))).order_by(col(CaseRow.id)).with_for_update()
    if seen_by is not None and seen_by.has(Role.LENDER):
        statement = statement.where(col(CaseRow.lender_id) == seen_by.lender_id)
    rows = await tx.session.scalars(statement.execution_options(populate_existing=True))
    return {case.id: case for case in rows}


async def find_all(tx: Transaction, case_ids: Sequence[UUID], *, seen_by: Actor) -> dict[UUID, CaseRow]:
    """Cases to look at, without a lock. Those that are not this actor's to see are left out."""
    rows = await tx.session.scalars(select(CaseRow).where(col(CaseRow.id).in_(set(case_ids))))
    return {case.id: case for case in rows if may_see(case, seen_by)}


def balance_of(case: CaseRow) -> Amount:
    return Amount.of(Money.of_minor(case.balance_minor, case.currency))


def pay_down(tx: Transaction, case: CaseRow, paid_minor: int) -> None:
    """Take a payment off the balance and say so. What is paid beyond it is kept as overpaid."""
    case.balance_minor, overpaid_minor = domain.pay_down(case.balance_minor, paid_minor)
    case.overpaid_minor += overpaid_minor
    tx.publish(updated(case), aggregate=case, key=case.id, lender_id=case.lender_id)


def note_contact(tx: Transaction, case: CaseRow, at: datetime) -> None:
    """The debtor of a locked case was reached. The first time is kept for good, and told."""
    if case.first_contact_at is None or at < case.first_contact_at:
        case.first_contact_at = at
        event = DebtorReached(case_id=case.id, first_contact_at=at)
        tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)


def updated(case: CaseRow) -> CaseUpdated:
    return CaseUpdated(
        case_id=case.id,
        balance=balance_of(case),
        days_past_due=case.days_past_due,
        bucket=case.bucket,
        accounts=case.accounts,
    )
