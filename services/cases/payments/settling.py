"""A person settles a line that was set aside: posts it to an account, or returns it to the lender."""

from uuid import UUID

from services.cases.ledger.domain.lines import Result
from services.cases.lenders import usecases as lenders
from services.cases.payments import usecases
from services.cases.payments.set_aside import Waiting, line_of
from services.cases.payments.tables import SetAsideRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound


async def post_line(tx: Transaction, line_id: UUID, *, account_ref: str | None, actor: Actor) -> SetAsideRow:
    """Post a line to an account of its lender: to the one that a person names, else to its own. Raises NotFound,
    Conflict where it is settled already or the books refuse it."""
    row = await _lock(tx, line_id)
    if account_ref is None and row.why == Result.UNMATCHED:
        raise Invalid("account-needed", "Name the account that the line is for: `account_ref`.")
    body = line_of(row).model_copy(update={"account_ref": account_ref or row.account_ref})
    account, answer = await usecases.post_reviewed(tx, body, lender_id=row.lender_id)
    if answer.result == Result.REJECTED:
        raise Conflict(answer.code or "rejected", f"The books refuse this line. {answer.message}")
    _settle(tx, row, Waiting.POSTED, actor)
    row.account_id = account.id
    return row


async def return_line(tx: Transaction, line_id: UUID, *, actor: Actor) -> SetAsideRow:
    """Return a line to its lender: it is in no book. Raises NotFound, Conflict where it is settled already."""
    row = await _lock(tx, line_id)
    _settle(tx, row, Waiting.RETURNED, actor)
    return row


async def _lock(tx: Transaction, line_id: UUID) -> SetAsideRow:
    """The line, where no one has settled it. Its lender is locked first, as where its lines are taken in."""
    seen = await tx.session.get(SetAsideRow, line_id)
    if seen is None:
        raise NotFound("line-not-found", "There is no such line here.")
    await lenders.lock_lender(tx, seen.lender_id)
    await tx.session.refresh(seen, with_for_update=True)
    if seen.status != Waiting.OPEN:
        raise Conflict("line-settled", f"This line is {seen.status} already: nothing is left to settle.")
    return seen


def _settle(tx: Transaction, row: SetAsideRow, status: Waiting, actor: Actor) -> None:
    row.status, row.settled_by, row.settled_at = status, str(actor.ref), tx.now
