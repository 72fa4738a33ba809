"""Record payments: from a lender's report, or from a receipt that a collector wrote at the door."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import can_take
from services.cases.casefile.tables import CaseRow
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.schemas import PaymentBody, PaymentResult
from services.cases.ledger.tables import PaymentRow
from shared.bulk import each_of
from shared.database import Transaction
from shared.events.cases import PaymentReceived
from shared.events.values import Amount
from shared.ids import new_id
from shared.money import Money, NotMoney


async def record_payments(tx: Transaction, lines: Sequence[PaymentBody], *, lender_id: str) -> list[PaymentResult]:
    """Record a lender's lines; each counts once by its reference. Results in the order of the lines."""
    accounts = await ledger_accounts.by_reference(tx, lender_id, {line.account_ref for line in lines})
    cases = await casefile.lock_all(tx, [account.case_id for account in accounts.values()])
    known = await _known(tx, lines, lender_id)
    results = []
    for line in lines:
        account = accounts.get(line.account_ref)
        case = cases[account.case_id] if account else None
        results.append(_record(tx, line, case, known))
    return results


class _Known:
    """The payments that lines may repeat or confirm, by reference and by receipt."""

    def __init__(self, rows: Sequence[PaymentRow]) -> None:
        self.by_reference = {row.reference: row for row in rows if row.reference}
        self.by_receipt = {row.receipt_number: row for row in rows if row.receipt_number}

    def add(self, row: PaymentRow) -> None:
        if row.reference:
            self.by_reference[row.reference] = row
        if row.receipt_number:
            self.by_receipt[row.receipt_number] = row


async def _known(tx: Transaction, lines: Sequence[PaymentBody], lender_id: str) -> _Known:
    references = {line.reference for line in lines}
    receipts = {line.receipt_number for line in lines if line.receipt_number}
    of_lender = col(PaymentRow.lender_id) == lender_id
    by_reference = await tx.session.scalars(each_of(tx, PaymentRow, col(PaymentRow.reference), references, of_lender))
    by_receipt = await tx.session.scalars(each_of(tx, PaymentRow, col(PaymentRow.receipt_number), receipts, of_lender))
    return _Known([*by_reference, *by_receipt])


def _record(tx: Transaction, line: PaymentBody, case: CaseRow | None, known: _Known) -> PaymentResult:
    earlier = known.by_reference.get(line.reference)
    if earlier is not None:
        return _same_or_not(line, earlier)
    if case is None:
        return _rejected(line, "account-not-found", "There is no such account here.")
    try:
        money = line.amount.money
    except NotMoney as error:
        return _rejected(line, "amount-malformed", f"The amount is {error}.")
    if money.minor <= 0:
        return _rejected(line, "amount-not-positive", "A payment is more than 0; a reversal is another kind of line.")
    if money.currency != case.currency:
        return _rejected(line, "currency-differs", f"The account is kept in {case.currency}.")
    if not can_take(case.balance_minor, case.overpaid_minor, money.minor):
        return _rejected(line, "amount-too-large", "The case would be overpaid by more than an amount can be.")
    if line.received_on > tx.now.astimezone(ZoneInfo(case.time_zone)).date():
        return _rejected(line, "date-in-future", "A payment cannot be received in the future.")
    provisional = known.by_receipt.get(line.receipt_number) if line.receipt_number else None
    if provisional is not None:
        return _confirm(tx, line, money, provisional, known)
    row = add_payment(
        tx, case, money, received_on=line.received_on, reference=line.reference, receipt_number=line.receipt_number
    )
    known.add(row)
    return PaymentResult(reference=line.reference, result="ACCEPTED")


def _same_or_not(line: PaymentBody, earlier: PaymentRow) -> PaymentResult:
    same = Money.of_minor(earlier.amount_minor, earlier.currency).amount == line.amount.amount
    if same and earlier.currency == line.amount.currency:
        return PaymentResult(reference=line.reference, result="DUPLICATE")
    return _rejected(line, "reference-reused", "This reference was used for another payment.")


def _confirm(tx: Transaction, line: PaymentBody, money: Money, provisional: PaymentRow, known: _Known) -> PaymentResult:
    """The lender's line for cash that a collector took: the same money, never a second payment."""
    if provisional.reference is not None:
        return _rejected(line, "receipt-reused", "This receipt was confirmed by another line.")
    if provisional.amount_minor != money.minor or provisional.currency != money.currency:
        return _rejected(line, "receipt-differs", "The amount is not that of the receipt: clear it first.")
    provisional.reference, provisional.confirmed_at = line.reference, tx.now
    known.add(provisional)
    return PaymentResult(reference=line.reference, result="CONFIRMED")


def _rejected(line: PaymentBody, code: str, message: str) -> PaymentResult:
    return PaymentResult(reference=line.reference, result="REJECTED", code=code, message=message)


def add_payment(
    tx: Transaction,
    case: CaseRow,
    money: Money,
    *,
    received_on: date,
    reference: str | None,
    receipt_number: str | None,
) -> PaymentRow:
    """Store a payment of a locked case, take it off the balance, and say so."""
    row = PaymentRow(
        id=new_id(),
        lender_id=case.lender_id,
        case_id=case.id,
        reference=reference,
        receipt_number=receipt_number,
        amount_minor=money.minor,
        currency=money.currency,
        received_on=received_on,
        recorded_at=tx.now,
        confirmed_at=tx.now if reference else None,
    )
    tx.session.add(row)
    event = PaymentReceived(
        case_id=case.id,
        payment_id=row.id,
        amount=Amount.of(money),
        received_on=received_on,
        provisional=reference is None,
    )
    tx.publish(event, aggregate=case, key=case.id, lender_id=case.lender_id)
    casefile.pay_down(tx, case, money.minor)
    return row


async def record_cash(tx: Transaction, case_id: UUID, *, receipt_number: str, money: Money, received_on: date) -> None:
    """Cash of the door: a provisional payment, unless the lender's line with this receipt was here first."""
    case = await casefile.lock(tx, case_id)
    known = await tx.session.scalar(
        select(col(PaymentRow.id)).where(
            col(PaymentRow.lender_id) == case.lender_id, col(PaymentRow.receipt_number) == receipt_number
        )
    )
    if known is None:
        add_payment(tx, case, money, received_on=received_on, reference=None, receipt_number=receipt_number)
