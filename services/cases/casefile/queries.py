"""Reads of cases. A lender's list holds its own cases only."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlmodel import col

from services.cases.base import LAWBOOK
from services.cases.casefile.schemas import AccountView, CaseFileView, CaseView, TimelineView
from services.cases.casefile.tables import CaseRow, TimelineRow
from services.cases.casefile.whole_file import ACCOUNT, CASE_COLUMNS, HAPPENED, WHOLE_FILE
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.tables import AccountRow
from shared.bulk import rows_by_id
from shared.database import Transaction
from shared.errors import NotFound
from shared.events import followup
from shared.events.values import Amount
from shared.law import HoldFacts, HoldReason, HoldScope, retention_of
from shared.listing import page_of
from shared.money import Money
from shared.outgoing import Cases


async def retention_classes(tx: Transaction, wanted: Sequence[Cases]) -> dict[Cases, str]:
    """The retention class of what happens to these cases, by the law of their places."""
    rows = await rows_by_id(tx, CaseRow, col(CaseRow.id), {each for cases in wanted for each in cases})
    law = await LAWBOOK.law(tx)
    known = {cases: [rows[each] for each in cases if each in rows] for cases in wanted}
    return {cases: retention_of(law, found, tx.now).rule_id for cases, found in known.items() if found}


@dataclass(frozen=True, slots=True)
class CaseFilter:
    lender_id: str | None = None
    bucket: str | None = None
    referred: bool | None = None
    held: bool | None = None
    balance_minor_min: int | None = None


async def list_cases(tx: Transaction, wanted: CaseFilter, *, after: UUID | None, limit: int) -> list[CaseView]:
    """Cases in the order in which they were opened."""
    statement: Select[CaseRow] = select(CaseRow)
    statement = page_of(statement, col(CaseRow.id), after=after, limit=limit)
    if wanted.lender_id is not None:
        statement = statement.where(col(CaseRow.lender_id) == wanted.lender_id)
    if wanted.bucket is not None:
        statement = statement.where(col(CaseRow.bucket) == wanted.bucket)
    if wanted.referred is not None:
        statement = statement.where(col(CaseRow.referred).is_(wanted.referred))
    if wanted.held is not None:
        statement = statement.where(col(CaseRow.holds) > 0 if wanted.held else col(CaseRow.holds) == 0)
    if wanted.balance_minor_min is not None:
        statement = statement.where(col(CaseRow.balance_minor) >= wanted.balance_minor_min)
    cases = (await tx.session.scalars(statement)).all()
    accounts = await _accounts(tx, cases)
    return [_view(case, accounts[case.id]) for case in cases]


async def get_case(tx: Transaction, case_id: UUID) -> CaseFileView:
    """One case with its timeline, in one statement. Raises NotFound."""
    rows = (await tx.session.execute(WHOLE_FILE, {"case_id": case_id})).all()
    if not rows:
        raise _unknown()
    case = {name: getattr(rows[0], f"case_{name}") for name in CASE_COLUMNS}
    accounts = [_account(row) for row in rows if row.part == ACCOUNT]
    happened = [row for row in rows if row.part == HAPPENED]
    timeline = [TimelineView(occurred_at=row.occurred_at, type=row.type, facts=row.facts) for row in happened]
    return CaseFileView(**_shown(case), accounts=accounts, timeline=timeline)


async def case_view(tx: Transaction, case_id: UUID) -> CaseView:
    """One case without its timeline. Raises NotFound."""
    case = await tx.session.get(CaseRow, case_id)
    if case is None:
        raise _unknown()
    accounts = await _accounts(tx, [case])
    return _view(case, accounts[case.id])


async def check_known(tx: Transaction, case_id: UUID) -> None:
    """Raises NotFound where the caller may not see such a case."""
    if await tx.session.scalar(select(col(CaseRow.id)).where(col(CaseRow.id) == case_id)) is None:
        raise _unknown()


def _unknown() -> NotFound:
    return NotFound("case-not-found", "There is no such case here.")


async def _accounts(tx: Transaction, cases: Sequence[CaseRow]) -> dict[UUID, list[AccountView]]:
    accounts: dict[UUID, list[AccountView]] = defaultdict(list)
    for row in await ledger_accounts.of_cases(tx, [case.id for case in cases]):
        accounts[row.case_id].append(_account(row))
    return accounts


def _account(row: AccountRow | Row[Any]) -> AccountView:
    return AccountView(
        account_ref=row.account_ref,
        product=row.product,
        balance=_amount(row.balance_minor, row.currency),
        days_past_due=row.days_past_due,
        asked=_amount(max(0, row.asked_minor), row.currency),
        state=row.state,
    )


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))


def _view(case: CaseRow, accounts: list[AccountView]) -> CaseView:
    return CaseView(**_shown({name: getattr(case, name) for name in CASE_COLUMNS}), accounts=accounts)


def _shown(case: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a case itself."""
    currency = case["currency"]
    sums = {name: _amount(case[f"{name}_minor"], currency) for name in ("balance", "overpaid", "asked")}
    return {name: value for name, value in case.items() if name in CaseView.model_fields} | sums


_MADE, *_JUDGED = (
    name.type
    for name in (
        followup.PromiseMade,
        followup.PromiseKept,
        followup.PromisePartiallyKept,
        followup.PromiseBroken,
        followup.PromiseCured,
        followup.PromiseReopened,
        followup.PromiseSuperseded,
        followup.PromiseCancelled,
    )
)


async def promise_holds(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, list[HoldFacts]]:
    """While a promise runs, no visit demands payment: a hold from each moment at which it began to run until the next
    judgement. A judgement may be withdrawn, so that a promise runs again."""
    statement = (
        select(TimelineRow)
        .where(col(TimelineRow.case_id).in_(case_ids), col(TimelineRow.type).in_([_MADE, *_JUDGED]))
        .order_by(col(TimelineRow.occurred_at), col(TimelineRow.event_id))
    )
    found: dict[UUID, list[HoldFacts]] = defaultdict(list)
    running: dict[str, TimelineRow] = {}
    for row in await tx.session.scalars(statement):
        promise_id = row.facts["promise_id"]
        if began := running.pop(promise_id, None):
            found[row.case_id].append(_promise_hold(began.occurred_at, row.occurred_at))
        if row.type == _MADE or row.facts.get("status") == "ACTIVE":
            running[promise_id] = row
    for began in running.values():
        found[began.case_id].append(_promise_hold(began.occurred_at, None))
    return found


def _promise_hold(since: datetime, until: datetime | None) -> HoldFacts:
    return HoldFacts(reason=HoldReason.PROMISE_ACTIVE, scope=HoldScope.VISIT, since=since, until=until)
