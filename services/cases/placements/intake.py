"""From accepted rows to debtors, cases and accounts, a batch at a time and by few statements.

Who was placed before is updated, never opened twice; an account without a debtor's reference is a debtor of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import bucket_of, can_owe
from services.cases.casefile.tables import AccountRow, CaseRow
from services.cases.debtors import domain as debtors
from services.cases.debtors.tables import AddressRow, DebtorRow, NoticeRow
from services.cases.holds import usecases as holds
from services.cases.holds.tables import HoldRow
from services.cases.lenders.profile import FeedProfile, NoticeProof
from services.cases.placements.domain import Account, RowRefused, refuse_by_law
from services.cases.referral import usecases as referral
from shared.database import Transaction
from shared.events.cases import CaseOpened, DebtorRecognised, NoticeRecorded
from shared.events.values import Amount
from shared.ids import new_id
from shared.law import Facts, HoldFacts, HoldReason, HoldScope, Law
from shared.money import Money
from shared.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Taken:
    """How many accounts of a batch were known already and got updated; and those that are refused, because the law
    forbids them or their debtor would owe too much, by reference."""

    updated: int
    forbidden: dict[str, RowRefused]


@dataclass(slots=True)
class Intake:
    """Where the rows of one placement go: lender, placement, profile, the law and the master key."""

    lender_id: str
    placement_id: UUID
    profile: FeedProfile
    notice: NoticeProof | None
    law: Law
    master: Sealer
    digest_key: bytes

    async def take(self, tx: Transaction, accounts: Sequence[Account]) -> Taken:
        """Store a batch, but for new accounts of debtors who may not be forwarded now."""
        known = await self._known_accounts(tx, accounts)
        too_large = await self._update(tx, [account for account in accounts if account.account_ref in known], known)
        forbidden = await self._add(tx, [account for account in accounts if account.account_ref not in known])
        return Taken(len(known) - len(too_large), too_large | forbidden)

    async def _known_accounts(self, tx: Transaction, accounts: Sequence[Account]) -> dict[str, AccountRow]:
        rows = await tx.session.scalars(
            select(AccountRow).where(
                col(AccountRow.lender_id) == self.lender_id,
                col(AccountRow.account_ref).in_([account.account_ref for account in accounts]),
            )
        )
        return {row.account_ref: row for row in rows}

    async def _update(
        self, tx: Transaction, accounts: Sequence[Account], known: dict[str, AccountRow]
    ) -> dict[str, RowRefused]:
        """A known account's balance and days are those of the newest file. Gives back those that their case cannot
        owe."""
        too_large = {}
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
            row.balance_minor, row.days_past_due = account.balance.minor, account.days_past_due
            case.balance_minor = max(0, case.balance_minor + change)
            self._age(case, account.days_past_due)
            tx.publish(casefile.updated(case), aggregate=case, key=case.id, lender_id=case.lender_id)
            referral.refer_if_warranted(tx, case)
        return too_large

    async def _add(self, tx: Transaction, accounts: Sequence[Account]) -> dict[str, RowRefused]:
        """New accounts: to the case of a known debtor, if the law lets it join, or to a new case. Gives back those that
        it does not."""
        digests = {account.account_ref: self._debtor_digest(account) for account in accounts}
        rows = await tx.session.execute(
            select(col(DebtorRow.ref_digest), col(DebtorRow.case_id)).where(
                col(DebtorRow.lender_id) == self.lender_id, col(DebtorRow.ref_digest).in_(set(digests.values()))
            )
        )
        case_of: dict[bytes, UUID] = {row.ref_digest: row.case_id for row in rows}
        cases = await casefile.lock_all(tx, list(case_of.values()))
        closed = self._closed(tx, cases, await holds.holds_since(tx, cases, tx.now))
        new, forbidden = _New(), {}
        for account in accounts:
            digest = digests[account.account_ref]
            if case_of.get(digest) in closed:
                forbidden[account.account_ref] = closed[case_of[digest]]
                continue
            if digest in case_of and not can_owe(cases[case_of[digest]].balance_minor, account.balance.minor):
                forbidden[account.account_ref] = _too_large()
                continue
            if digest in case_of:
                self._join(tx, cases[case_of[digest]], account, new)
            else:
                case = self._open(tx, account, digest, new)
                cases[case.id] = case
                case_of[digest] = case.id
            new.account_rows.append(self._account_row(case_of[digest], account))
        for case in new.opened:
            self._publish_opened(tx, case)
            if case.id in new.persons:
                recognised = DebtorRecognised(case_id=case.id, person_ref=new.persons[case.id])
                tx.publish(recognised, aggregate=case, key=case.id, lender_id=None)
            referral.refer_if_warranted(tx, case)
        await new.store(tx)
        return forbidden

    def _closed(
        self, tx: Transaction, cases: Mapping[UUID, CaseRow], held: Mapping[UUID, Sequence[HoldRow]]
    ) -> dict[UUID, RowRefused]:
        """The cases to which, for their holds, the law of their place lets no further account be forwarded."""
        closed = {}
        for case_id, rows in held.items():
            case = cases[case_id]
            facts = Facts(
                jurisdiction=case.jurisdiction,
                country=case.country,
                region=case.region,
                at=tx.now,
                time_zone=case.time_zone,
                product=case.product,
                third_party_data=False,  # a row that has them and may not is refused before
                holds=tuple(HoldFacts(reason=HoldReason(row.reason), scope=HoldScope(row.scope)) for row in rows),
            )
            try:
                refuse_by_law("debtor_ref", "intake-forbidden", self.law, facts)
            except RowRefused as refused:
                closed[case_id] = refused
        return closed

    def _debtor_digest(self, account: Account) -> bytes:
        """A case has one currency: what somebody owes in another is a case of its own."""
        reference = f"{account.balance.currency}/{account.debtor_ref}"
        return debtors.reference_digest(self.digest_key, self.lender_id, reference)

    def _join(self, tx: Transaction, case: CaseRow, account: Account, new: "_New") -> None:
        case.balance_minor += account.balance.minor
        case.accounts += 1
        self._age(case, account.days_past_due)
        if case not in new.opened:
            tx.publish(casefile.updated(case), aggregate=case, key=case.id, lender_id=case.lender_id)
            referral.refer_if_warranted(tx, case)

    def _age(self, case: CaseRow, days_past_due: int) -> None:
        case.days_past_due = max(case.days_past_due, days_past_due)
        case.bucket = bucket_of(case.days_past_due)

    def _open(self, tx: Transaction, account: Account, digest: bytes, new: "_New") -> CaseRow:
        case_id, debtor_id, profile = new_id(), new_id(), self.profile
        wrapped, key = self.master.new_subject_key()
        identity = debtors.Identity(
            account.debtor_ref, account.name, account.national_id, account.phone, account.language
        )
        address = debtors.Address(account.address, account.district, account.latitude, account.longitude)
        new.debtor_rows.append(
            {
                "id": debtor_id,
                "case_id": case_id,
                "lender_id": self.lender_id,
                "ref_digest": digest,
                "wrapped_key": wrapped,
                "sealed_identity": debtors.seal(identity, key),
            }
        )
        new.address_rows.append(
            {"id": new_id(), "case_id": case_id, "debtor_id": debtor_id, "sealed": debtors.seal(address, key)}
        )
        case = CaseRow(
            id=case_id,
            lender_id=self.lender_id,
            debtor_id=debtor_id,
            placement_id=self.placement_id,
            jurisdiction=account.jurisdiction,
            country=account.country,
            region=account.region,
            transferred=profile.transferred,
            time_zone=account.time_zone,
            product=account.product,
            currency=account.balance.currency,
            balance_minor=account.balance.minor,
            days_past_due=account.days_past_due,
            bucket=bucket_of(account.days_past_due),
            accounts=1,
            prior_notice_at=self.notice.sent_at if self.notice else None,
            opened_at=tx.now,
            version=0,
        )
        tx.session.add(case)
        new.opened.append(case)
        if account.national_id is not None:
            new.persons[case.id] = debtors.person_ref(self.digest_key, account.country, account.national_id)
        return case

    def _account_row(self, case_id: UUID, account: Account) -> dict[str, Any]:
        return {
            "id": new_id(),
            "case_id": case_id,
            "lender_id": self.lender_id,
            "account_ref": account.account_ref,
            "product": account.product,
            "balance_minor": account.balance.minor,
            "days_past_due": account.days_past_due,
        }

    def _publish_opened(self, tx: Transaction, case: CaseRow) -> None:
        event = CaseOpened(
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
            balance=Amount.of(Money.of_minor(case.balance_minor, case.currency)),
            days_past_due=case.days_past_due,
            bucket=case.bucket,
            accounts=case.accounts,
            prior_notice_at=case.prior_notice_at,
        )
        tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
        notice = self.notice
        if notice is None:
            return
        row = NoticeRow(id=new_id(), case_id=case.id, **notice.model_dump())
        tx.session.add(row)
        recorded = NoticeRecorded(
            case_id=case.id,
            notice_id=row.id,
            kind=notice.kind,
            channel=notice.channel,
            sent_at=notice.sent_at,
            proof_digest=notice.proof_digest,
        )
        tx.publish(recorded, aggregate=case, key=case.id, lender_id=case.lender_id)


def _too_large() -> RowRefused:
    return RowRefused(
        "balance", "amount-too-large", "All accounts of this debtor together owe more than one amount can be."
    )


@dataclass(slots=True)
class _New:
    """The rows of a batch that are inserted set by set."""

    opened: list[CaseRow] = field(default_factory=list)
    debtor_rows: list[dict[str, Any]] = field(default_factory=list)
    address_rows: list[dict[str, Any]] = field(default_factory=list)
    account_rows: list[dict[str, Any]] = field(default_factory=list)
    persons: dict[UUID, str] = field(default_factory=dict)

    async def store(self, tx: Transaction) -> None:
        await tx.session.flush()
        sets = ((DebtorRow, self.debtor_rows), (AddressRow, self.address_rows), (AccountRow, self.account_rows))
        for table, rows in sets:
            if rows:
                await tx.session.execute(insert(table), rows)
