"""Post what lenders report and what collectors took to the books, give the cases their new standing, and publish it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import ReopenCause
from services.cases.casefile.tables import CaseRow
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.books import Books, lenders_day, open_books
from services.cases.ledger.domain.balance import Movement, movements
from services.cases.ledger.domain.cash import allocate
from services.cases.ledger.domain.entries import Entry, Kind, of_kind, paid_by_reference
from services.cases.ledger.domain.lines import Answer, Line, Result, judge
from services.cases.ledger.tables import AccountRow
from services.cases.lenders import usecases as lenders
from services.cases.lenders.profile import FeedProfile
from services.cases.payments.schemas import PaymentBody, PaymentResult
from services.cases.payments.set_aside import UNMATCHED, set_aside_among
from services.cases.referral import usecases as referral
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import PaymentReceived, PaymentReversed
from shared.events.values import Amount
from shared.ids import new_id
from shared.law import add_business_days
from shared.money import Money, NotMoney


async def record_payments(tx: Transaction, lines: Sequence[PaymentBody], *, lender_id: str) -> list[PaymentResult]:
    """Record a lender's lines; on an account each counts once by its reference. A line without an account, and one with
    an absurd amount, waits for a person. Results in the order of the lines."""
    accounts = await ledger_accounts.by_reference(tx, lender_id, {line.account_ref for line in lines})
    if any(line.account_ref not in accounts for line in lines):
        try:
            await lenders.lock_lender(tx, lender_id)  # a line that is sent twice at once is kept once
        except NotFound as error:
            return [_result(line, _no(error.code, error.detail)) for line in lines]
    posting = await _open(tx, accounts.values(), lender_id) if accounts else None
    waiting = await set_aside_among(tx, lender_id, lines)
    results = []
    for line in lines:
        account = accounts.get(line.account_ref)
        answer = waiting.answer(line, account_known=account is not None)
        if answer is None:
            answer = posting.record(line, account) if posting and account else _readable(line)
            if answer.is_new:
                waiting.posted(line)
            elif answer.result in (Result.UNMATCHED, Result.REVIEW):
                waiting.keep(line, answer.result)
        results.append(_result(line, answer))
    if posting:
        await posting.store()
    return results


async def post_reviewed(tx: Transaction, line: PaymentBody, *, lender_id: str) -> tuple[AccountRow, Answer]:
    """Post a line that a person has looked at. Raises NotFound for an account that is not here."""
    accounts = await ledger_accounts.by_reference(tx, lender_id, {line.account_ref})
    if line.account_ref not in accounts:
        raise NotFound("account-not-found", "This lender has no such account here: name another `account_ref`.")
    posting, account = await _open(tx, accounts.values(), lender_id), accounts[line.account_ref]
    answer = posting.record(line, account, reviewed=True)
    await posting.store()
    return account, answer


async def _open(tx: Transaction, accounts: Collection[AccountRow], lender_id: str) -> "_Posting":
    _, profile = await lenders.profile_of(tx, lender_id)
    cases = await casefile.lock_all(tx, [account.case_id for account in accounts])
    return _Posting(tx, cases, await open_books(tx, cases, profile), profile)


def _readable(body: PaymentBody) -> Answer:
    """A line without an account is kept where its amounts can be read."""
    try:
        _components(body, body.amount.money.currency)
    except NotMoney as error:
        return _malformed(error)
    return UNMATCHED


def _malformed(error: NotMoney) -> Answer:
    return _no("amount-malformed", f"The amount is {error}.")


_TOO_LARGE = ("amount-too-large", "The case would be overpaid by more than an amount can be.")


class _Posting:
    """Lines that are posted in one transaction to the books of locked cases."""

    def __init__(self, tx: Transaction, cases: Mapping[UUID, CaseRow], books: Books, profile: FeedProfile) -> None:
        self.tx, self.cases, self.books, self.profile = tx, cases, books, profile
        self.today = lenders_day(tx.now, profile)

    def record(self, body: PaymentBody, account: AccountRow, *, reviewed: bool = False) -> Answer:
        try:
            money = body.amount.money
            components = _components(body, money.currency)
        except NotMoney as error:
            return _malformed(error)
        if money.currency != account.currency:
            return _no("currency-differs", f"The account is kept in {account.currency}.")
        line = self._line(body, money, components)
        entries, receipts = self.books.entries(account.id), self._receipts(account.case_id)
        answer = judge(line, entries, self.today, receipts, reviewed=reviewed)
        if answer.is_new and self._post(line, account) is None:
            return _no(*_TOO_LARGE)
        return answer

    def _line(self, body: PaymentBody, money: Money, components: Mapping[str, int] | None) -> Line:
        """The line in the books' words. A book day that the lender does not name is assumed: of a receipt the day of
        this report, else the value date plus the profile's delay."""
        confirms = body.kind == "PAYMENT" and body.receipt_number is not None
        return Line(
            reference=body.reference,
            kind=body.kind,
            amount_minor=money.minor,
            value_date=body.received_on,
            posting_day=body.posted_on or (self.today if confirms else self._booked_after(body.received_on)),
            posted_on=body.posted_on,
            receipt_number=body.receipt_number,
            reverses=body.reverses,
            original_value_date=body.original_value_date,
            components=components,
        )

    def _booked_after(self, day: date) -> date:
        delay = self.profile.posting_delay
        return add_business_days(self.profile.country, self.profile.region, day, delay) if delay else day

    def _post(self, line: Line, account: AccountRow) -> Entry | None:
        """Add a line to the books and publish it. None where its case cannot take it: nothing was added."""
        before = self._counted(account.id)
        entry = self.books.add(
            Entry(
                id=new_id(),
                account_id=account.id,
                seq=0,
                kind=line.entry_kind,
                amount_minor=line.signed_minor,
                currency=account.currency,
                value_date=line.value_date,
                posted_on=line.posting_day,
                assumed=line.posted_on is None,
                booked_at=self.tx.now,
                source="report",
                reference=line.reference,
                original_value_date=line.original_value_date,
                components=line.components,
                receipt_number=line.receipt_number,
                refers_to=line.reverses,
            )
        )
        if not self.books.standing(account.case_id).fits:
            self.books.take_back()
            return None
        self._publish(account, entry, before)
        return entry

    def _counted(self, account_id: UUID) -> set[UUID]:
        """The reversals of an account that count."""
        return {each.entry.id for each in self._reversals(account_id)}

    def _reversals(self, account_id: UUID) -> list[Movement]:
        entries = self.books.entries(account_id)
        if not of_kind(entries, Kind.REVERSAL):
            return []
        return [each for each in movements(entries) if each.entry.kind is Kind.REVERSAL]

    def _receipts(self, case_id: UUID) -> set[str | None]:
        """The receipts for cash of a case."""
        accounts = self.books.of_case(case_id).values()
        return {entry.receipt_number for entries in accounts for entry in of_kind(entries, Kind.CASH)}

    def _publish(self, account: AccountRow, entry: Entry, before: set[UUID]) -> None:
        """A payment is published once: not again where cash of its receipt was. With it, the reversals that waited."""
        published = entry.receipt_number in self._receipts(account.case_id)
        if entry.kind is Kind.PAYMENT or (entry.kind is Kind.CASH_CONFIRMED and not published):
            publish_payment(self.tx, self.cases[account.case_id], entry)
        paid = paid_by_reference(self.books.entries(account.id))
        for each in self._reversals(account.id):
            if each.entry.id not in before and each.amount_minor:
                payment = paid.get(each.entry.refers_to or "")
                known_as = self._published(account.case_id, payment) if payment else None
                publish_reversal(self.tx, self.cases[account.case_id], each.entry, known_as, each.amount_minor)

    def _published(self, case_id: UUID, payment: Entry) -> Entry:
        """The entry as which a payment was published: the cash of its receipt, its own account's first, where that was
        here before the line."""
        cash = [
            entry
            for entries in self.books.of_case(case_id).values()
            for entry in of_kind(entries, Kind.CASH)
            if entry.receipt_number == payment.receipt_number and entry.id < payment.id
        ]
        return min(cash, key=lambda entry: entry.account_id != payment.account_id, default=payment)

    async def store(self) -> None:
        changed = self.books.changed
        await self.books.store(self.tx)
        for case_id in changed:
            give_standing(self.tx, self.cases[case_id], self.books)


def give_standing(tx: Transaction, case: CaseRow, books: Books) -> None:
    """A locked case owes what the books say; where that warrants a visit, it is referred."""
    accounts = len(books.of_case(case.id))
    if casefile.restate(tx, case, books.standing(case.id), accounts=accounts, cause=ReopenCause.MONEY):
        referral.refer_if_warranted(tx, case)


def publish_payment(tx: Transaction, case: CaseRow, entry: Entry, *, visit_id: UUID | None = None) -> None:
    event = PaymentReceived(
        case_id=case.id,
        payment_id=entry.id,
        amount=Amount.of(Money.of_minor(-entry.amount_minor, entry.currency)),
        received_on=entry.value_date,
        provisional=entry.kind is Kind.CASH,
        account_id=entry.account_id,
        visit_id=visit_id,
    )
    tx.publish(event, aggregate=case)


def publish_reversal(tx: Transaction, case: CaseRow, entry: Entry, payment: Entry | None, amount_minor: int) -> None:
    event = PaymentReversed(
        case_id=case.id,
        reversal_id=entry.id,
        payment_id=payment.id if payment else None,
        account_id=entry.account_id,
        amount=Amount.of(Money.of_minor(amount_minor, entry.currency)),
        received_on=payment.value_date if payment else entry.original_value_date or entry.value_date,
    )
    tx.publish(event, aggregate=case)


def _components(body: PaymentBody, currency: str) -> dict[str, int] | None:
    """What the amount is made of, in minor units. Raises NotMoney."""
    if body.components is None:
        return None
    return {name: Money.parse(amount, currency).minor for name, amount in body.components.items()}


def _result(body: PaymentBody, answer: Answer) -> PaymentResult:
    return PaymentResult(reference=body.reference, result=answer.result.value, code=answer.code, message=answer.message)


def _no(code: str, message: str) -> Answer:
    return Answer(Result.REJECTED, code, message)


async def record_cash(
    tx: Transaction,
    case_id: UUID,
    *,
    receipt_number: str,
    money: Money,
    received_on: date,
    visit_id: UUID | None,
) -> None:
    """Cash of the door: it counts at once, unless the lender's line with this receipt was here first."""
    case = await casefile.lock(tx, case_id)
    _, profile = await lenders.profile_of(tx, case.lender_id)
    books = await open_books(tx, [case_id], profile)
    known = [entry for entries in books.of_case(case_id).values() for entry in entries]
    if any(entry.kind is Kind.CASH and entry.receipt_number == receipt_number for entry in known):
        return
    confirmed = any(entry.kind is Kind.CASH_CONFIRMED and entry.receipt_number == receipt_number for entry in known)
    for account_id, part_minor in allocate(money.minor, books.owing(case_id)):
        entry = books.add(
            Entry(
                id=new_id(),
                account_id=account_id,
                seq=0,
                kind=Kind.CASH,
                amount_minor=-part_minor,
                currency=money.currency,
                value_date=received_on,
                posted_on=received_on,
                assumed=False,
                booked_at=tx.now,
                source="receipt",
                receipt_number=receipt_number,
            )
        )
        if not confirmed:
            publish_payment(tx, case, entry, visit_id=visit_id)
    await books.store(tx)
    give_standing(tx, case, books)
