"""What cases says of a case, as two views of its events. An installation of an earlier release has not stored them: a
rebuild makes them from the whole history."""

from sqlalchemy import Table, insert

from services.followup.caseload.tables import CaseFactsRow, ReversalRow
from shared.bus.projections import Projection
from shared.database import Transaction
from shared.events import cases
from shared.events.envelope import Envelope

_PLACE = {"lender_id", "jurisdiction", "country", "region", "time_zone"}


async def on_case_opened(tx: Transaction, table: Table, event: cases.CaseOpened, _envelope: Envelope) -> None:
    facts = event.model_dump(include=_PLACE)
    await tx.session.execute(insert(table).values(id=event.case_id, currency=event.balance.currency, **facts))


async def on_payment_reversed(tx: Transaction, table: Table, event: cases.PaymentReversed, envelope: Envelope) -> None:
    money = event.amount.money
    facts = event.model_dump(include={"case_id", "account_id", "payment_id", "received_on", "provisional"})
    row = {"id": event.reversal_id, "lender_id": envelope.lender_id, **facts}
    await tx.session.execute(insert(table).values(**row, currency=money.currency, amount_minor=money.minor))


CASES = Projection("cases", CaseFactsRow.metadata.tables["case_facts"], {cases.CaseOpened: on_case_opened})
REVERSALS = Projection(
    "reversals", ReversalRow.metadata.tables["reversal"], {cases.PaymentReversed: on_payment_reversed}
)
