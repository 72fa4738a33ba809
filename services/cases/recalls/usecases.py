"""Take accounts back for their lender. A case whose last account goes ends all contact at once."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.cases.casefile import usecases as casefile
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.books import Books, lenders_day, open_books
from services.cases.ledger.domain.entries import Entry, Kind
from services.cases.ledger.domain.life import State
from services.cases.ledger.tables import AccountRow
from services.cases.lenders import usecases as lenders
from services.cases.payments.usecases import give_standing
from services.cases.recalls.domain import RecallReason, RecallResult
from services.cases.recalls.schemas import RecalledAccountBody, RecallResultView
from services.cases.recalls.tables import RecallRow
from shared.auth import Actor
from shared.database import Transaction
from shared.events.cases import AccountsRecalled
from shared.ids import new_id


async def recall(
    tx: Transaction, wanted: Sequence[RecalledAccountBody], *, lender_id: str, actor: Actor
) -> list[RecallResultView]:
    """Take accounts back, each once. Results in the order of `wanted`."""
    accounts = await ledger_accounts.by_reference(tx, lender_id, {each.account_ref for each in wanted})
    if not accounts:
        return [_not_found(each) for each in wanted]
    _, profile = await lenders.profile_of(tx, lender_id)
    cases = await casefile.lock_all(tx, [account.case_id for account in accounts.values()])
    books = await open_books(tx, cases, profile)
    today, results = lenders_day(tx.now, profile), []
    said: dict[tuple[UUID, RecallReason], list[UUID]] = defaultdict(list)
    for each in wanted:
        account = accounts.get(each.account_ref)
        if account is None:
            results.append(_not_found(each))
        elif books.standings(account.case_id)[account.id].life.state is State.RECALLED:
            results.append(RecallResultView(account_ref=each.account_ref, result=RecallResult.DUPLICATE))
        else:
            row = RecallRow(
                id=new_id(),
                lender_id=lender_id,
                account_id=account.id,
                case_id=account.case_id,
                reason=each.reason,
                recalled_on=today,
                recalled_by=str(actor.ref),
                recalled_at=tx.now,
            )
            _enter(books, account, row)
            tx.session.add(row)
            said[account.case_id, each.reason].append(account.id)
            results.append(RecallResultView(account_ref=each.account_ref, result=RecallResult.RECALLED))
    changed = books.changed
    await books.store(tx)
    for (case_id, reason), account_ids in said.items():
        event = AccountsRecalled(case_id=case_id, account_ids=account_ids, reason=reason)
        tx.publish(event, aggregate=cases[case_id])
    for case_id in changed:
        give_standing(tx, cases[case_id], books)
    return results


def _enter(books: Books, account: AccountRow, recall: RecallRow) -> None:
    """The fact in the books: from this day on the account is not placed with us."""
    books.add(
        Entry(
            id=recall.id,
            account_id=account.id,
            seq=0,
            kind=Kind.RECALL,
            amount_minor=0,
            currency=account.currency,
            value_date=recall.recalled_on,
            posted_on=recall.recalled_on,
            assumed=False,
            booked_at=recall.recalled_at,
            source="recall",
        )
    )


def _not_found(each: RecalledAccountBody) -> RecallResultView:
    return RecallResultView(
        account_ref=each.account_ref,
        result=RecallResult.REJECTED,
        code="account-not-found",
        message="There is no such account here.",
    )
