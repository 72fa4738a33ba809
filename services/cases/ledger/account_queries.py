"""Reads of accounts: what each owes now, its entries, and what its balance was made of on a past day."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.cases.ledger.accounts import of_cases
from services.cases.ledger.books import entries_of, lenders_day, terms_of
from services.cases.ledger.domain.entries import MOVEMENTS, Entry, Kind
from services.cases.ledger.domain.life import State
from services.cases.ledger.domain.parts import Part, known_on, parts
from services.cases.ledger.domain.standing import account_standings
from services.cases.ledger.schemas import AccountStateView, BalanceView, EntryView, PartView, PaymentView
from services.cases.ledger.tables import AccountRow, LedgerEntryRow
from services.cases.lenders import usecases as lenders
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.events.values import Amount
from shared.listing import page_of
from shared.money import Money

LISTED = MOVEMENTS | {Kind.CASH, Kind.CASH_VOIDED}


@dataclass(frozen=True, slots=True)
class AccountFilter:
    lender_id: str | None = None
    case_id: UUID | None = None
    account_ref: str | None = None
    state: State | None = None


async def list_accounts(
    tx: Transaction, wanted: AccountFilter, *, after: UUID | None, limit: int
) -> list[AccountStateView]:
    """Accounts in the order in which they were opened."""
    statement = page_of(select(AccountRow), col(AccountRow.id), after=after, limit=limit)
    for column, value in (
        (col(AccountRow.lender_id), wanted.lender_id),
        (col(AccountRow.case_id), wanted.case_id),
        (col(AccountRow.account_ref), wanted.account_ref),
        (col(AccountRow.state), wanted.state),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return [_account(row) for row in await tx.session.scalars(statement)]


async def list_entries(tx: Transaction, account_id: UUID, *, after: int | None, limit: int) -> list[EntryView]:
    """The entries of an account in the order in which they were stored. Raises NotFound."""
    await _get(tx, account_id)
    statement = select(LedgerEntryRow).where(col(LedgerEntryRow.account_id) == account_id)
    statement = page_of(statement, col(LedgerEntryRow.seq), after=after, limit=limit)
    return [EntryView(**_shown(row)) for row in await tx.session.scalars(statement)]


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    lender_id: str | None = None
    case_id: UUID | None = None
    account_id: UUID | None = None
    kind: Kind | None = None
    reference: str | None = None
    receipt_number: str | None = None
    received_from: date | None = None
    received_until: date | None = None


async def list_payments(tx: Transaction, wanted: PaymentFilter, *, after: UUID | None, limit: int) -> list[PaymentView]:
    """The lines of lenders and the cash of the door, in the order in which they were stored."""
    entry = LedgerEntryRow
    statement: Any = select(entry, AccountRow).join(AccountRow, col(AccountRow.id) == col(entry.account_id))
    statement = statement.where(col(entry.kind).in_(sorted([wanted.kind] if wanted.kind else LISTED)))
    for column, value in (
        (col(entry.lender_id), wanted.lender_id),
        (col(AccountRow.case_id), wanted.case_id),
        (col(entry.account_id), wanted.account_id),
        (col(entry.reference), wanted.reference),
        (col(entry.receipt_number), wanted.receipt_number),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.received_from is not None:
        statement = statement.where(col(entry.value_date) >= wanted.received_from)
    if wanted.received_until is not None:
        statement = statement.where(col(entry.value_date) <= wanted.received_until)
    statement = page_of(statement, col(entry.id), after=after, limit=limit)
    rows = (await tx.session.execute(statement)).all()
    return [
        PaymentView(**_shown(row), account_ref=account.account_ref, case_id=account.case_id) for row, account in rows
    ]


async def balance_on(tx: Transaction, account_id: UUID, on: date | None) -> BalanceView:
    """What the books said of an account at the end of a day at its lender, and of what parts. Raises NotFound, also
    where the account was not known yet; Invalid for a day to come."""
    row = await _get(tx, account_id)
    _, profile = await lenders.profile_of(tx, row.lender_id)
    today = lenders_day(tx.now, profile)
    day = on or today
    if day > today:
        raise Invalid("date-in-future", "`on` must not be in the future: give a past day, or leave it out for today.")
    accounts = await entries_of(tx, [each.id for each in await of_cases(tx, [row.case_id])])
    known = known_on(day, ZoneInfo(profile.time_zone), accounts)
    if account_id not in known:
        raise NotFound("account-not-known-then", "The account was not known here on that day: give a later day.")
    standing = account_standings(known, day, term_ends=terms_of(profile).term_ends)[account_id]
    where = standing.position
    return BalanceView(
        account_id=row.id,
        account_ref=row.account_ref,
        case_id=row.case_id,
        on=day,
        state=standing.life.state,
        days_past_due=standing.days_past_due,
        balance=_amount(where.balance_minor, row.currency),
        asked=_amount(max(0, where.asked_minor), row.currency),
        statement_through=where.statement.through,
        in_doubt=[each.entry.reference or "" for each in where.doubtful],
        parts=[_part(each) for each in parts(account_id, known)],
    )


async def _get(tx: Transaction, account_id: UUID) -> AccountRow:
    row = await tx.session.get(AccountRow, account_id)
    if row is None:
        raise NotFound("account-not-found", "There is no such account here.")
    return row


def _account(row: AccountRow) -> AccountStateView:
    return AccountStateView(
        **row.model_dump(include={"id", "account_ref", "case_id", "lender_id", "product", "state", "payments"}),
        **row.model_dump(include={"days_past_due", "differences", "entries"}),
        balance=_amount(row.balance_minor, row.currency),
        asked=_amount(max(0, row.asked_minor), row.currency),
        received=_amount(row.received_minor, row.currency),
    )


def _part(part: Part) -> PartView:
    currency = part.entry.currency
    return PartView(
        entry=EntryView(**_shown(part.entry)),
        posted_on=part.posted_on,
        counted=_amount(part.counted_minor, currency),
        asked=_amount(part.asked_minor, currency),
        why=part.why,
    )


_PLAIN = EntryView.model_fields.keys() - {"amount", "components"}


def _shown(entry: Entry | LedgerEntryRow) -> dict[str, Any]:
    """What is shown of an entry, with amounts in the currency's unit."""
    parts_of = entry.components
    named = None if parts_of is None else {name: _text(minor, entry.currency) for name, minor in parts_of.items()}
    plain = {name: getattr(entry, name) for name in _PLAIN}
    return plain | {"amount": _amount(entry.amount_minor, entry.currency), "components": named}


def _text(minor: int, currency: str) -> str:
    return str(Money.of_minor(minor, currency))


def _amount(minor: int, currency: str) -> Amount:
    return Amount.of(Money.of_minor(minor, currency))
