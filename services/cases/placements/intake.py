"""From accepted rows to debtors, cases and accounts, a batch at a time and by few statements. This room decides what to
open; the rooms that own the tables open it.

Who was placed before is updated, never opened twice; an account without a debtor's reference is a debtor of its own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import OpenCase, can_owe
from services.cases.casefile.tables import CaseRow
from services.cases.debtors import domain as debtors_domain
from services.cases.debtors import usecases as debtors
from services.cases.debtors.domain import OpenDebtor
from services.cases.dossiers.records import records_of
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.books import lenders_day, open_books
from services.cases.ledger.domain.accounts import OpenAccount, Stated, statement_days
from services.cases.ledger.tables import AccountRow
from services.cases.lenders.profile import FeedProfile, NoticeProof
from services.cases.placements.domain import Account, RowRefused, check_placeable, refuse_by_law
from services.cases.referral import usecases as referral
from shared.database import Transaction
from shared.ids import new_id
from shared.law import Act, Law, facts_of_case


@dataclass(frozen=True, slots=True)
class Taken:
    """How many accounts of a batch were known already and got updated; and those that are refused, by
    reference: unknown ones without a debt, and those that the law forbids or that would make a debtor owe too much."""

    updated: int
    forbidden: dict[str, RowRefused]


@dataclass(slots=True)
class NewDebtor:
    """A debtor who is not known yet, with the sums of the accounts that the batch has of it."""

    first: Account
    digest: bytes
    case_id: UUID = field(default_factory=new_id)
    debtor_id: UUID = field(default_factory=new_id)
    balance_minor: int = 0
    days_past_due: int = 0
    accounts: int = 0

    def owes(self, account: Account, days_past_due: int) -> None:
        self.balance_minor += account.balance.minor
        self.days_past_due = max(self.days_past_due, days_past_due)
        self.accounts += 1


@dataclass(frozen=True, slots=True)
class FileDay:
    """Of which day a file is: as the lender says, with the number of a corrected file; and the lender's day on which it
    came."""

    received_on: date
    as_of: date | None = None
    issue: int | None = None


@dataclass(slots=True)
class Intake:
    """Where the rows of one placement go: lender, placement, profile, the law and the key of digests."""

    lender_id: str
    placement_id: UUID
    profile: FeedProfile
    file: FileDay
    notice: NoticeProof | None
    law: Law
    digest_key: bytes

    async def take(self, tx: Transaction, accounts: Sequence[Account]) -> Taken:
        """Store a batch, but for rows of unknown accounts that owe nothing, and new accounts of debtors who may not be
        forwarded now."""
        references = [account.account_ref for account in accounts]
        known = await ledger_accounts.by_reference(tx, self.lender_id, references)
        refused = await self._update(tx, [account for account in accounts if account.account_ref in known], known)
        updated = len(known) - len(refused)
        new = []
        for account in accounts:
            if account.account_ref not in known:
                try:
                    check_placeable(account)
                    new.append(account)
                except RowRefused as why:
                    refused[account.account_ref] = why
        return Taken(updated, refused | await self._add(tx, new))

    async def _update(
        self, tx: Transaction, accounts: Sequence[Account], known: Mapping[str, AccountRow]
    ) -> dict[str, RowRefused]:
        """What the lender states of known accounts goes into the books. Gives back the rows that their case cannot owe,
        or that are in another currency."""
        refused: dict[str, RowRefused] = {}
        if not accounts:
            return refused
        cases = await casefile.lock_all(tx, [known[account.account_ref].case_id for account in accounts])
        books = await open_books(tx, cases, self.profile)
        for account in accounts:
            row = known[account.account_ref]
            if account.balance.currency != row.currency:
                refused[account.account_ref] = _other_currency()
                continue
            new = books.state(row.id, self._stated(account), tx.now)
            if new and not books.standing(row.case_id).fits:
                books.take_back()
                refused[account.account_ref] = _too_large()
        changed = books.changed
        await books.store(tx)
        for case_id in changed:
            case = cases[case_id]
            if casefile.restate(tx, case, books.standing(case_id), accounts=len(books.of_case(case_id))):
                referral.refer_if_warranted(tx, case)
        return refused

    async def _add(self, tx: Transaction, accounts: Sequence[Account]) -> dict[str, RowRefused]:
        """New accounts: to the case of a known debtor, if the law lets it join, or to a new case. Gives back those that
        it does not."""
        digests = {account.account_ref: self._debtor_digest(account) for account in accounts}
        case_of = await debtors.cases_by_reference(tx, self.lender_id, set(digests.values()))
        cases = await casefile.lock_all(tx, case_of.values()) if case_of else {}
        closed = await self._closed(tx, cases)
        new: dict[bytes, NewDebtor] = {}
        joining: dict[UUID, int] = defaultdict(int)
        forbidden: dict[str, RowRefused] = {}
        opened: list[tuple[OpenAccount, Stated]] = []
        today = lenders_day(tx.now, self.profile)
        for account in accounts:
            digest = digests[account.account_ref]
            case = cases[case_of[digest]] if digest in case_of else None
            debtor = new.get(digest)
            owed = case.balance_minor + joining[case.id] if case else debtor.balance_minor if debtor else 0
            stated = self._stated(account)
            if case is not None and case.id in closed:
                forbidden[account.account_ref] = closed[case.id]
            elif not can_owe(owed + account.balance.minor):
                forbidden[account.account_ref] = _too_large()
            elif case is not None:
                joining[case.id] += account.balance.minor
                opened.append((self._account(case.id, account), stated))
            else:
                debtor = new.setdefault(digest, debtor or NewDebtor(account, digest))
                debtor.owes(account, ledger_accounts.age_on(stated, today))
                opened.append((self._account(debtor.case_id, account), stated))
        await self._open(tx, list(new.values()))
        await ledger_accounts.open_all(tx, opened, today)
        await self._join(tx, {case_id: cases[case_id] for case_id in joining})
        return forbidden

    async def _join(self, tx: Transaction, cases: Mapping[UUID, CaseRow]) -> None:
        """The standing of known cases that further accounts have joined."""
        if not cases:
            return
        books = await open_books(tx, cases, self.profile)
        for case_id, case in cases.items():
            casefile.restate(tx, case, books.standing(case_id), accounts=len(books.of_case(case_id)))
            referral.refer_if_warranted(tx, case)

    def _stated(self, account: Account) -> Stated:
        as_of = account.as_of or self.file.as_of
        return Stated(
            amount_minor=account.balance.minor,
            days_past_due=account.days_past_due,
            days=statement_days(as_of, self.profile.as_of_means, self.file.received_on),
            source=f"placement:{self.placement_id}",
            issue=self.file.issue,
        )

    async def _closed(self, tx: Transaction, cases: Mapping[UUID, CaseRow]) -> dict[UUID, RowRefused]:
        """The cases to which the law of their place lets no further account be forwarded, for what is recorded."""
        if not cases:
            return {}
        records, closed = await records_of(tx, cases, since=tx.now), {}
        # A row with data of third parties is refused before, where they are forbidden.
        act = Act(at=tx.now, third_party_data=False)
        for case_id, case in cases.items():
            facts = facts_of_case(case, records.of_case[case_id], act)
            try:
                refuse_by_law("debtor_ref", "intake-forbidden", self.law, facts)
            except RowRefused as refused:
                closed[case_id] = refused
        return closed

    def _debtor_digest(self, account: Account) -> bytes:
        """A case has one currency: what somebody owes in another is a case of its own."""
        reference = f"{account.balance.currency}/{account.debtor_ref}"
        return debtors_domain.reference_digest(self.digest_key, self.lender_id, reference)

    async def _open(self, tx: Transaction, new: Sequence[NewDebtor]) -> None:
        """Open the cases and debtors of a batch. All that is published of a case comes before its row is inserted, so
        each case costs one INSERT and no UPDATE."""
        cases = casefile.open_all(tx, [self._case(debtor) for debtor in new])
        if self.notice is not None:
            await debtors.record_first_notice(tx, cases, self.notice)
        by_id = {case.id: case for case in cases}
        await debtors.open_all(tx, [self._debtor(debtor) for debtor in new], by_id)
        for case in cases:
            referral.refer_if_warranted(tx, case)

    def _case(self, debtor: NewDebtor) -> OpenCase:
        first = debtor.first
        return OpenCase(
            id=debtor.case_id,
            lender_id=self.lender_id,
            debtor_id=debtor.debtor_id,
            placement_id=self.placement_id,
            jurisdiction=first.jurisdiction,
            country=first.country,
            region=first.region,
            transferred=self.profile.transferred,
            time_zone=first.time_zone,
            product=first.product,
            currency=first.balance.currency,
            balance_minor=debtor.balance_minor,
            days_past_due=debtor.days_past_due,
            accounts=debtor.accounts,
            prior_notice_at=self.notice.sent_at if self.notice else None,
        )

    def _debtor(self, debtor: NewDebtor) -> OpenDebtor:
        first = debtor.first
        person_ref = None
        if first.national_id is not None:
            person_ref = debtors_domain.person_ref(self.digest_key, first.country, first.national_id)
        return OpenDebtor(
            id=debtor.debtor_id,
            case_id=debtor.case_id,
            ref_digest=debtor.digest,
            identity=debtors_domain.Identity(
                first.debtor_ref, first.name, first.national_id, first.phone, first.language
            ),
            address=debtors_domain.Address(first.address, first.district, first.latitude, first.longitude),
            person_ref=person_ref,
        )

    def _account(self, case_id: UUID, account: Account) -> OpenAccount:
        return OpenAccount(
            case_id=case_id,
            lender_id=self.lender_id,
            account_ref=account.account_ref,
            product=account.product,
            currency=account.balance.currency,
        )


def _too_large() -> RowRefused:
    message = "All accounts of this debtor together owe, or are overpaid by, more than one amount can be."
    return RowRefused("balance", "amount-too-large", message)


def _other_currency() -> RowRefused:
    return RowRefused("currency", "currency-differs", "The account is kept in another currency: send its own.")
