"""What cases says of a case, as views of its events. An installation of an earlier release has not stored them: a
rebuild makes them from the whole history."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from sqlalchemy import Table, delete, insert

from services.followup.caseload.tables import CaseFactsRow, ClosingRow, ReversalRow
from shared.bus.projections import Projection
from shared.database import Transaction
from shared.events import cases
from shared.events.envelope import Envelope

PAID, RECALLED, STATEMENT = "PAID", "RECALLED", "STATEMENT"
_PLACE = {"lender_id", "jurisdiction", "country", "region", "time_zone"}


async def on_case_opened(tx: Transaction, table: Table, event: cases.CaseOpened, _envelope: Envelope) -> None:
    facts = event.model_dump(include=_PLACE)
    await tx.session.execute(insert(table).values(id=event.case_id, currency=event.balance.currency, **facts))


async def on_payment_reversed(tx: Transaction, table: Table, event: cases.PaymentReversed, envelope: Envelope) -> None:
    money = event.amount.money
    facts = event.model_dump(include={"case_id", "account_id", "payment_id", "received_on", "provisional"})
    row = {"id": event.reversal_id, "lender_id": envelope.lender_id, **facts}
    await tx.session.execute(insert(table).values(**row, currency=money.currency, amount_minor=money.minor))


async def on_case_closed(
    tx: Transaction, table: Table, event: cases.CaseClosed | cases.CaseRecalled, envelope: Envelope
) -> None:
    paid = isinstance(event, cases.CaseClosed) and event.reason == PAID
    await _close(tx, table, event.case_id, envelope, [None], PAID if paid else RECALLED)


async def on_accounts_recalled(
    tx: Transaction, table: Table, event: cases.AccountsRecalled, envelope: Envelope
) -> None:
    await _close(tx, table, event.case_id, envelope, event.account_ids, RECALLED)


async def on_case_reopened(tx: Transaction, table: Table, event: cases.CaseReopened, _envelope: Envelope) -> None:
    """What closed the case is void: what it ended goes on as if it had not been closed. Accounts that were recalled
    from it come back with a recalled case only: one that was paid owes again on those that stayed. A case that was paid
    and has new figures of the lender stays paid for that day: new debt breaks no promise that was kept."""
    if event.reason == PAID and event.cause == STATEMENT:
        return
    void = delete(table).where(table.c.case_id == event.case_id)
    await tx.session.execute(void if event.reason == RECALLED else void.where(table.c.account_id.is_(None)))


async def _close(
    tx: Transaction, table: Table, case_id: UUID, envelope: Envelope, account_ids: Sequence[UUID | None], ending: str
) -> None:
    same = {"case_id": case_id, "lender_id": envelope.lender_id, "ending": ending, "at": envelope.occurred_at}
    rows = [{"id": uuid5(envelope.event_id, str(each)), "account_id": each} | same for each in account_ids]
    await tx.session.execute(insert(table), rows)


CASES = Projection("cases", CaseFactsRow.metadata.tables["case_facts"], {cases.CaseOpened: on_case_opened})
REVERSALS = Projection(
    "reversals", ReversalRow.metadata.tables["reversal"], {cases.PaymentReversed: on_payment_reversed}
)
CLOSINGS = Projection(
    "closings",
    ClosingRow.metadata.tables["closing"],
    {
        cases.CaseClosed: on_case_closed,
        cases.CaseRecalled: on_case_closed,
        cases.AccountsRecalled: on_accounts_recalled,
        cases.CaseReopened: on_case_reopened,
    },
)
