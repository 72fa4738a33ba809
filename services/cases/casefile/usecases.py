"""What other rooms do with cases: open them, lock them, change their balances, note what happened to them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.casefile import domain
from services.cases.casefile.domain import OpenCase, ReopenCause
from services.cases.casefile.tables import CaseRow
from services.cases.ledger.domain.standing import CaseStanding, Phase
from shared.bulk import among
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import CaseClosed, CaseOpened, CaseRecalled, CaseReopened, CaseUpdated, DebtorReached
from shared.events.values import Amount
from shared.money import Money


def _unknown(case_id: UUID) -> NotFound:
    return NotFound("case-not-found", "There is no such case here.", case_id=str(case_id))


async def lock(tx: Transaction, case_id: UUID) -> CaseRow:
    """The case, locked until the commit: every event of it is written under this lock, so they keep their order.
    Raises NotFound."""
    statement = select(CaseRow).where(col(CaseRow.id) == case_id).with_for_update()
    case = await tx.session.scalar(statement.execution_options(populate_existing=True))
    if case is None:
        raise _unknown(case_id)
    return case


async def lock_all(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, CaseRow]:
    """Several cases, locked in the order of their ids, so that two callers never wait for each other in a ring.
    Those that are not there are left out."""
    wanted = among(tx, col(CaseRow.id), set(case_ids))
    statement = select(CaseRow).where(wanted).order_by(col(CaseRow.id)).with_for_update()
    rows = await tx.session.scalars(statement.execution_options(populate_existing=True))
    return {case.id: case for case in rows}


async def find_all(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, CaseRow]:
    """Cases to look at, without a lock. Those that are not there are left out. The transaction keeps them: what follows
    finds them without a statement."""
    rows = await tx.session.scalars(select(CaseRow).where(among(tx, col(CaseRow.id), set(case_ids))))
    found = {case.id: case for case in rows}
    tx.session.info.setdefault("cases at hand", {}).update(found)
    return found


def open_all(tx: Transaction, commands: Sequence[OpenCase]) -> list[CaseRow]:
    """Open cases and publish that. They are inserted together, at the next flush: what is published of them before
    that costs no statement."""
    cases = []
    for command in commands:
        bucket = domain.bucket_of(command.days_past_due)
        case = CaseRow(
            **vars(command),
            asked_minor=command.balance_minor,
            open_accounts=command.accounts,
            bucket=bucket,
            opened_at=tx.now,
            version=0,
        )
        tx.publish(_opened(case), aggregate=case)
        cases.append(case)
    tx.session.add_all(cases)
    return cases


def _opened(case: CaseRow) -> CaseOpened:
    return CaseOpened(
        case_id=case.id,
        debtor_id=case.debtor_id,
        lender_id=case.lender_id,
        placement_id=case.placement_id,
        jurisdiction=case.jurisdiction,
        country=case.country,
        region=case.region,
        transferred=case.transferred,
        time_zone=case.time_zone,
        product=case.product,
        balance=balance_of(case),
        days_past_due=case.days_past_due,
        bucket=case.bucket,
        accounts=case.accounts,
        prior_notice_at=case.prior_notice_at,
    )


def restate(
    tx: Transaction, case: CaseRow, standing: CaseStanding, *, accounts: int, cause: ReopenCause = ReopenCause.STATEMENT
) -> bool:
    """A locked case owes what the books say now, by so many accounts. Publishes it if anything changed. `cause`: what
    changed the books. Returns whether anything changed."""
    new = (
        standing.owed_minor,
        standing.overpaid_minor,
        standing.asked_minor,
        standing.days_past_due,
        standing.open_accounts,
        accounts,
    )
    old = (
        case.balance_minor,
        case.overpaid_minor,
        case.asked_minor,
        case.days_past_due,
        case.open_accounts,
        case.accounts,
    )
    phase = Phase(case.phase)
    if new == old and standing.phase is phase:
        return False
    case.balance_minor, case.overpaid_minor, case.asked_minor = new[:3]
    case.days_past_due, case.open_accounts, case.accounts = new[3:]
    case.bucket = domain.bucket_of(case.days_past_due)
    tx.publish(updated(case), aggregate=case)
    if standing.phase is not phase:
        case.phase, case.phase_at = standing.phase, tx.now
        case.referred = case.referred and standing.phase is Phase.OPEN  # one that is reopened is judged again
        tx.publish(_entered(case, standing.phase, phase, cause), aggregate=case)
    return True


def _entered(
    case: CaseRow, phase: Phase, before: Phase, cause: ReopenCause
) -> CaseClosed | CaseRecalled | CaseReopened:
    """What to publish of a case that is in another phase now."""
    if phase is Phase.OPEN:
        return CaseReopened(case_id=case.id, reason=before, cause=cause)
    if phase is Phase.RECALLED:
        return CaseRecalled(case_id=case.id)
    return CaseClosed(case_id=case.id, reason=phase)


def balance_of(case: CaseRow) -> Amount:
    return _amount(case, case.balance_minor)


def _amount(case: CaseRow, minor: int) -> Amount:
    return Amount.of(Money.of_minor(minor, case.currency))


def note_contact(tx: Transaction, case: CaseRow, at: datetime) -> None:
    """The debtor of a locked case was reached. The first time is kept for good, and told."""
    if case.first_contact_at is None or at < case.first_contact_at:
        case.first_contact_at = at
        event = DebtorReached(case_id=case.id, first_contact_at=at)
        tx.publish(event, aggregate=case)


def note_prior_notice(case: CaseRow, sent_at: datetime) -> None:
    """The debtor of a locked case was sent a prior notice. The first one counts."""
    case.prior_notice_at = min(case.prior_notice_at or sent_at, sent_at)


def count_attempts(case: CaseRow, *, without_contact: int, refusals: int) -> None:
    """How many contact attempts of a locked case failed since the last success, and how many the debtor refused."""
    case.attempts_without_contact, case.refusals = without_contact, refusals


def mark_referred(case: CaseRow) -> None:
    """A locked case warrants a visit from now on."""
    case.referred = True


def count_hold(case: CaseRow) -> None:
    """One more hold is in force on a locked case."""
    case.holds += 1


def discount_hold(case: CaseRow) -> None:
    """A hold of a locked case has ended."""
    case.holds -= 1


def updated(case: CaseRow) -> CaseUpdated:
    return CaseUpdated(
        case_id=case.id,
        balance=balance_of(case),
        days_past_due=case.days_past_due,
        bucket=case.bucket,
        accounts=case.accounts,
        owed=balance_of(case),
        overpaid=_amount(case, case.overpaid_minor),
        asked=_amount(case, case.asked_minor),
        open_accounts=case.open_accounts,
    )
