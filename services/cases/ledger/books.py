"""The books of some cases: their accounts with all entries, read under the cases' locks, and what is added to them.

A caller locks the cases, opens the books, states or posts, stores them, and gives each case its new standing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlmodel import col

from services.cases.ledger.domain.accounts import OpenAccount, Stated
from services.cases.ledger.domain.balance import pending_reversals
from services.cases.ledger.domain.cash import Owing, open_cash
from services.cases.ledger.domain.differences import Difference, Terms, differences
from services.cases.ledger.domain.entries import Entry, Kind, of_kind
from services.cases.ledger.domain.standing import AccountStanding, CaseStanding, account_standings, case_standing
from services.cases.ledger.tables import AccountRow, LedgerEntryRow
from services.cases.lenders.profile import FeedProfile
from shared.bulk import among
from shared.database import Transaction
from shared.ids import new_id

_COLUMNS = [
    col(getattr(LedgerEntryRow, name))
    for name in ("id", "account_id", "seq", "kind", "amount_minor", "currency", "value_date", "posted_on", "assumed",
                 "booked_at", "source", "reference", "original_value_date", "components", "receipt_number", "refers_to",
                 "issue", "days_past_due")
]  # fmt: skip


def statement_entry(account_id: UUID, seq: int, currency: str, stated: Stated, now: datetime) -> Entry:
    return Entry(
        id=new_id(),
        account_id=account_id,
        seq=seq,
        kind=Kind.STATEMENT,
        amount_minor=stated.amount_minor,
        currency=currency,
        value_date=stated.days.value_date,
        posted_on=stated.days.through,
        assumed=stated.days.assumed,
        booked_at=now,
        source=stated.source,
        components=stated.components,
        issue=stated.issue,
        days_past_due=stated.days_past_due,
    )


def first_entry(account_id: UUID, command: OpenAccount, stated: Stated, now: datetime) -> dict[str, Any]:
    """The row of the statement that an account is opened with."""
    return _row(statement_entry(account_id, 1, command.currency, stated, now), command.lender_id)


def _row(entry: Entry, lender_id: str) -> dict[str, Any]:
    row = {name: getattr(entry, name) for name in Entry.__slots__}
    return row | {"kind": entry.kind.value, "lender_id": lender_id}


async def entries_of(tx: Transaction, account_ids: Collection[UUID]) -> dict[UUID, list[Entry]]:
    """The entries of these accounts, each in the order in which they were stored."""
    wanted = among(tx, col(LedgerEntryRow.account_id), list(account_ids))
    statement = select(*_COLUMNS).where(wanted).order_by(col(LedgerEntryRow.account_id), col(LedgerEntryRow.seq))
    found: dict[UUID, list[Entry]] = {account_id: [] for account_id in account_ids}
    for id_, account_id, seq, kind, *rest in (await tx.session.execute(statement)).all():
        found[account_id].append(Entry(id_, account_id, seq, Kind(kind), *rest))
    return found


def lenders_day(now: datetime, profile: FeedProfile) -> date:
    """The day at a lender."""
    return now.astimezone(ZoneInfo(profile.time_zone)).date()


def terms_of(profile: FeedProfile) -> Terms:
    """What a lender's profile says of differences."""
    return Terms(country=profile.country, region=profile.region, accrual_per_day=profile.accrual_per_day)


async def open_books(tx: Transaction, case_ids: Collection[UUID], profile: FeedProfile) -> "Books":
    """The books of cases of one lender, which the caller has locked."""
    wanted = among(tx, col(AccountRow.case_id), list(case_ids))
    statement = select(AccountRow).where(wanted).order_by(col(AccountRow.id))
    accounts = (await tx.session.scalars(statement.execution_options(populate_existing=True))).all()
    entries = await entries_of(tx, [account.id for account in accounts])
    return Books(accounts, entries, lenders_day(tx.now, profile), terms_of(profile))


class Books:
    """`accounts` by id, in the order in which they were opened."""

    def __init__(
        self,
        accounts: Sequence[AccountRow],
        entries: Mapping[UUID, list[Entry]],
        today: date,
        terms: Terms,
    ) -> None:
        self.accounts = {account.id: account for account in accounts}
        self._of_case: dict[UUID, list[AccountRow]] = defaultdict(list)
        for account in accounts:
            self._of_case[account.case_id].append(account)
        self._entries = dict(entries)
        self._today, self._terms = today, terms
        self._added: list[Entry] = []
        self._standings: dict[UUID, dict[UUID, AccountStanding]] = {}

    def entries(self, account_id: UUID) -> Sequence[Entry]:
        return self._entries[account_id]

    def of_case(self, case_id: UUID) -> Mapping[UUID, Sequence[Entry]]:
        """The entries of a case, by account."""
        return {account.id: self._entries[account.id] for account in self._of_case[case_id]}

    def state(self, account_id: UUID, stated: Stated, now: datetime) -> bool:
        """Add what the lender states of an account. The same statement again changes nothing: False."""
        account = self.accounts[account_id]
        entry = statement_entry(account_id, 0, account.currency, stated, now)
        said = _said(entry)
        if any(_said(earlier) == said for earlier in of_kind(self._entries[account_id], Kind.STATEMENT)):
            return False
        self.add(entry)
        return True

    def add(self, entry: Entry) -> Entry:
        """Add an entry; it gets the account's next number. Returns it as it is stored."""
        entries = self._entries[entry.account_id]
        numbered = replace(entry, seq=len(entries) + 1)
        entries.append(numbered)
        self._added.append(numbered)
        self._standings.pop(self.accounts[entry.account_id].case_id, None)
        return numbered

    def take_back(self) -> None:
        """Undo the last `add`: the entry was not stored."""
        entry = self._added.pop()
        self._entries[entry.account_id].pop()
        self._standings.pop(self.accounts[entry.account_id].case_id, None)

    def standings(self, case_id: UUID) -> dict[UUID, AccountStanding]:
        """Each account of a case, with what was added."""
        if case_id not in self._standings:
            found = account_standings(self.of_case(case_id), self._today, term_ends=self._terms.term_ends)
            self._standings[case_id] = found
        return self._standings[case_id]

    def standing(self, case_id: UUID) -> CaseStanding:
        return case_standing(self.standings(case_id).values())

    def owing(self, case_id: UUID) -> list[Owing]:
        """The accounts that cash may go to: those that are placed with us, all where none is."""
        standings = self.standings(case_id)
        placed = [account_id for account_id, each in standings.items() if each.counts] or list(standings)
        return [
            Owing(
                account_id,
                self.accounts[account_id].account_ref,
                standings[account_id].position.balance_minor,
                standings[account_id].days_past_due,
            )
            for account_id in placed
        ]

    def differences(self, case_id: UUID) -> list[Difference]:
        return differences(self.of_case(case_id), self._today, self._terms)

    @property
    def changed(self) -> list[UUID]:
        """The cases to which something was added."""
        return list(dict.fromkeys(self.accounts[entry.account_id].case_id for entry in self._added))

    async def store(self, tx: Transaction) -> None:
        """Insert what was added, and keep in each account of these cases what follows from its entries."""
        if not self._added:
            return
        rows = [_row(entry, self.accounts[entry.account_id].lender_id) for entry in self._added]
        await tx.session.execute(insert(LedgerEntryRow), rows)
        for case_id in self.changed:
            self.keep(case_id)
        self._added.clear()

    def keep_all(self) -> None:
        """Keep what follows from the entries of all these cases today."""
        for case_id in self._of_case:
            self.keep(case_id)

    def keep(self, case_id: UUID) -> None:
        """Keep in the accounts of a case what follows from their entries today."""
        listed: dict[UUID, int] = defaultdict(int)
        for difference in self.differences(case_id):
            listed[difference.account_id] += 1
        cash = open_cash(self.of_case(case_id))
        for account_id, each in self.standings(case_id).items():
            row, entries = self.accounts[account_id], self._entries[account_id]
            for name, value in _kept(each, entries, listed[account_id]):
                if getattr(row, name) != value:
                    setattr(row, name, value)
            unsettled = bool(cash.get(account_id) or pending_reversals(entries))
            if row.unsettled != unsettled:
                row.unsettled = unsettled


def _kept(standing: AccountStanding, entries: Sequence[Entry], listed: int) -> Iterator[tuple[str, Any]]:
    statement = standing.position.statement
    yield "balance_minor", standing.position.balance_minor
    yield "asked_minor", standing.position.asked_minor
    yield "received_minor", standing.received_minor
    yield "payments", standing.payments
    yield "state", standing.life.state.value
    yield "days_past_due", standing.days_past_due
    yield "stated_days", statement.days_past_due or 0
    yield "stated_on", statement.value_date
    yield "entries", len(entries)
    yield "differences", listed


def _said(statement: Entry) -> tuple[Any, ...]:
    """What makes two statements the same."""
    return (
        statement.through,
        statement.value_date,
        statement.issue,
        statement.amount_minor,
        statement.days_past_due,
        statement.components,
    )
