"""From accepted rows to debtors, cases and accounts, a batch at a time and by few statements. This room decides what to
open; the rooms that own the tables open it.

Who was placed before is updated, never opened twice; an account without a debtor's reference is a debtor of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import OpenCase, can_owe
from services.cases.casefile.tables import AccountRow, CaseRow
from services.cases.debtors import domain as debtors_domain
from services.cases.debtors import usecases as debtors
from services.cases.debtors.domain import OpenDebtor
from services.cases.dossiers.records import records_of
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.domain import OpenAccount
from services.cases.lenders.profile import FeedProfile, NoticeProof
from services.cases.placements.domain import Account, RowRefused, refuse_by_law
from services.cases.referral import usecases as referral
from shared.database import Transaction
from shared.ids import new_id
from shared.law import Act, Law, facts_of_case


@dataclass(frozen=True, slots=True)
class Taken:
    """How many accounts of a batch were known already and got updated; and those that are refused, because the law
    forbids them or their debtor would owe too much, by reference."""

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

    def owes(self, account: Account) -> None:
        self.balance_minor += account.balance.minor
        self.days_past_due = max(self.days_past_due, account.days_past_due)
        self.accounts += 1


@dataclass(slots=True)
class Intake:
    """Where the rows of one placement go: lender, placement, profile, the law and the key of digests."""

    lender_id: str
    placement_id: UUID
    profile: FeedProfile
    notice: NoticeProof | None
    law: Law
    digest_key: bytes

    async def take(self, tx: Transaction, accounts: Sequence[Account]) -> Taken:
        """Store a batch, but for new accounts of debtors who may not be forwarded now."""
        references = [account.account_ref for account in accounts]
        known = await ledger_accounts.by_reference(tx, self.lender_id, references)
        too_large = await self._update(tx, [account for account in accounts if account.account_ref in known], known)
        forbidden = await self._add(tx, [account for account in accounts if account.account_ref not in known])
        return Taken(len(known) - len(too_large), too_large | forbidden)

    async def _update(
        self, tx: Transaction, accounts: Sequence[Account], known: dict[str, AccountRow]
    ) -> dict[str, RowRefused]:
        """A known account's balance and days are those of the newest file. Gives back those that their case cannot
        owe."""
        too_large: dict[str, RowRefused] = {}
        if not accounts:
            return too_large
        cases = await casefile.lock_all(tx, [known[account.account_ref].case_id for account in accounts])
        for account in accounts:
            row = known[account.account_ref]
            case = cases[row.case_id]
            change = account.balance.minor - row.balance_minor
            if change == 0 and account.days_past_due == row.days_past_due:
                continue
            if not can_owe(case.balance_minor, change):
                too_large[account.account_ref] = _too_large()
                continue
            ledger_accounts.restate(row, account.balance.minor, account.days_past_due)
            casefile.change_balance(tx, case, change, account.days_past_due)
            referral.refer_if_warranted(tx, case)
        return too_large

    async def _add(self, tx: Transaction, accounts: Sequence[Account]) -> dict[str, RowRefused]:
        """New accounts: to the case of a known debtor, if the law lets it join, or to a new case. Gives back those that
        it does not."""
        digests = {account.account_ref: self._debtor_digest(account) for account in accounts}
        case_of = await debtors.cases_by_reference(tx, self.lender_id, set(digests.values()))
        cases = await casefile.lock_all(tx, case_of.values()) if case_of else {}
        closed = await self._closed(tx, cases)
        new: dict[bytes, NewDebtor] = {}
        forbidden: dict[str, RowRefused] = {}
        opened: list[OpenAccount] = []
        for account in accounts:
            digest = digests[account.account_ref]
            case = cases[case_of[digest]] if digest in case_of else None
            debtor = new.get(digest)
            owed = case.balance_minor if case else debtor.balance_minor if debtor else 0
            if case is not None and case.id in closed:
                forbidden[account.account_ref] = closed[case.id]
            elif not can_owe(owed, account.balance.minor):
                forbidden[account.account_ref] = _too_large()
            elif case is not None:
                casefile.add_account(tx, case, account.balance.minor, account.days_past_due)
                referral.refer_if_warranted(tx, case)
                opened.append(self._account(case.id, account))
            else:
                debtor = new.setdefault(digest, debtor or NewDebtor(account, digest))
                debtor.owes(account)
                opened.append(self._account(debtor.case_id, account))
        await self._open(tx, list(new.values()))
        await ledger_accounts.open_all(tx, opened)
        return forbidden

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
            balance_minor=account.balance.minor,
            days_past_due=account.days_past_due,
        )


def _too_large() -> RowRefused:
    return RowRefused(
        "balance", "amount-too-large", "All accounts of this debtor together owe more than one amount can be."
    )
