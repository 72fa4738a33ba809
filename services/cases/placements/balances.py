"""What a lender states of known accounts outside a file: the same as a row of a placement."""

from collections.abc import Sequence

from services.cases.casefile import usecases as casefile
from services.cases.casefile.domain import can_owe
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.books import Books, lenders_day, open_books
from services.cases.ledger.domain.accounts import Stated, statement_days
from services.cases.ledger.tables import AccountRow
from services.cases.lenders import usecases as lenders
from services.cases.lenders.profile import FeedProfile
from services.cases.payments.usecases import give_standing
from services.cases.placements.schemas import BalanceBody, BalanceResult
from shared.database import Transaction
from shared.money import Money, NotMoney

SOURCE = "balances"
_NO_ACCOUNT = ("account-not-found", "There is no such account here: place it in a file first.")


class _Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code, self.message = code, message


async def state_balances(tx: Transaction, lines: Sequence[BalanceBody], *, lender_id: str) -> list[BalanceResult]:
    """Enter what a lender states of its accounts. Results in the order of the lines."""
    accounts = await ledger_accounts.by_reference(tx, lender_id, {line.account_ref for line in lines})
    if not accounts:
        return [_rejected(line, *_NO_ACCOUNT) for line in lines]
    _, profile = await lenders.profile_of(tx, lender_id)
    cases = await casefile.lock_all(tx, [account.case_id for account in accounts.values()])
    books, results = await open_books(tx, cases, profile), []
    for line in lines:
        try:
            new = _state(tx, books, accounts.get(line.account_ref), line, profile)
            results.append(BalanceResult(account_ref=line.account_ref, result="ACCEPTED" if new else "DUPLICATE"))
        except _Refused as no:
            results.append(_rejected(line, no.code, no.message))
    changed = books.changed
    await books.store(tx)
    for case_id in changed:
        give_standing(tx, cases[case_id], books)
    return results


def _rejected(line: BalanceBody, code: str, message: str) -> BalanceResult:
    return BalanceResult(account_ref=line.account_ref, result="REJECTED", code=code, message=message)


def _state(tx: Transaction, books: Books, account: AccountRow | None, line: BalanceBody, profile: FeedProfile) -> bool:
    """False: the statement was made before. Raises _Refused."""
    if account is None:
        raise _Refused(*_NO_ACCOUNT)
    new = books.state(account.id, _stated(line, account, profile, tx), tx.now)
    if new and not can_owe(books.standing(account.case_id).owed_minor):
        books.take_back()
        raise _Refused("amount-too-large", "All accounts of this debtor together owe more than one amount can be.")
    return new


def _stated(line: BalanceBody, account: AccountRow, profile: FeedProfile, tx: Transaction) -> Stated:
    today = lenders_day(tx.now, profile)
    try:
        balance = line.balance.money
        parts: dict[str, int] = {
            name: Money.parse(part, balance.currency).minor for name, part in (line.components or {}).items()
        }
    except NotMoney as error:
        raise _Refused("amount-malformed", f"The amount is {error}.") from None
    if balance.currency != account.currency:
        raise _Refused("currency-differs", f"The account is kept in {account.currency}.")
    if balance.minor < 0:
        raise _Refused("balance-negative", "`balance` must be 0 or more: state what is owed.")
    if parts and sum(parts.values()) != balance.minor:
        raise _Refused("components-differ", "`components` must add up to `balance`.")
    if line.as_of is not None and line.as_of > today:
        raise _Refused("date-in-future", "`as_of` must not be in the future: state the balance on its day.")
    return Stated(
        amount_minor=balance.minor,
        days_past_due=line.days_past_due,
        days=statement_days(line.as_of, profile.as_of_means, today),
        source=SOURCE,
        issue=line.issue,
        components=parts or None,
    )
