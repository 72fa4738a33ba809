"""Keep the lines that wait for a person, and answer them when they are sent again."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlmodel import col

from services.cases.ledger.domain.lines import REVIEW, Answer, Result
from services.cases.payments.schemas import PaymentBody
from services.cases.payments.tables import SetAsideRow
from shared.bulk import each_of
from shared.database import Transaction
from shared.ids import new_id


class Waiting(StrEnum):
    """How a line stands that was set aside."""

    OPEN = "OPEN"
    POSTED = "POSTED"
    RETURNED = "RETURNED"


UNMATCHED = Answer(
    Result.UNMATCHED,
    "account-not-found",
    "There is no such account here. The line is kept: a person assigns it, or send it again after the account's file.",
)
_REUSED = Answer(
    Result.REJECTED,
    "reference-reused",
    "`reference` was used for another line of this account: send this one under a reference of its own.",
)
_RETURNED = Answer(
    Result.REJECTED, "line-returned", "This line was returned to you: send a corrected one under another reference."
)
Key = tuple[str, str]


class SetAside:
    """The lines of a lender that were set aside, among those of a batch."""

    def __init__(self, tx: Transaction, lender_id: str, rows: Sequence[SetAsideRow]) -> None:
        self.tx, self.lender_id = tx, lender_id
        self.rows: dict[Key, SetAsideRow] = {(row.account_ref, row.reference): row for row in rows}

    def answer(self, body: PaymentBody, *, account_known: bool) -> Answer | None:
        """What becomes of a line that was set aside before. None: it was not, or it may be posted now."""
        row = self.rows.get((body.account_ref, body.reference))
        if row is None:
            return None
        if _said(body) != _said(line_of(row)):
            return _REUSED
        if row.status != Waiting.OPEN:
            return _RETURNED if row.status == Waiting.RETURNED else Answer(Result.DUPLICATE)
        if row.why == Result.UNMATCHED:
            return None if account_known else UNMATCHED
        return REVIEW

    def keep(self, body: PaymentBody, why: Result) -> None:
        """Set a line aside, once."""
        if (body.account_ref, body.reference) in self.rows:
            return
        row = SetAsideRow(
            id=new_id(),
            lender_id=self.lender_id,
            account_ref=body.account_ref,
            reference=body.reference,
            why=why,
            status=Waiting.OPEN,
            line=body.model_dump(mode="json", exclude_none=True),
            received_at=self.tx.now,
        )
        self.tx.session.add(row)
        self.rows[body.account_ref, body.reference] = row

    def posted(self, body: PaymentBody) -> None:
        """The lender sent the line again and its account is known now: nothing is left to do."""
        row = self.rows.get((body.account_ref, body.reference))
        if row is not None and row.status == Waiting.OPEN:
            row.status, row.settled_at = Waiting.POSTED, self.tx.now


async def set_aside_among(tx: Transaction, lender_id: str, lines: Sequence[PaymentBody]) -> SetAside:
    """What was set aside before of the lines of a batch."""
    of_lender = col(SetAsideRow.lender_id) == lender_id
    wanted = {line.account_ref for line in lines}
    rows = await tx.session.scalars(each_of(tx, SetAsideRow, col(SetAsideRow.account_ref), wanted, of_lender))
    return SetAside(tx, lender_id, list(rows))


def line_of(row: SetAsideRow) -> PaymentBody:
    """The line as the lender sent it."""
    return PaymentBody.model_validate(row.line)


def _said(body: PaymentBody) -> tuple[Any, ...]:
    """What makes two lines the same, also where one of them adds its book day."""
    return body.amount, body.received_on, body.kind, body.reverses
