"""Routes of payments."""

from typing import Annotated

from services.cases.ledger import queries
from services.cases.ledger.schemas import TotalsView
from services.cases.payments import usecases
from services.cases.payments.schemas import PaymentsBody, PaymentsView
from shared.auth import Actor, Role, allow
from shared.web import ReadTx, Tx, room

router = room("cases", tag="ledger")
Payer = Annotated[Actor, allow(Role.LENDER)]
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/payments")
async def record_payments(body: PaymentsBody, actor: Payer, tx: Tx) -> PaymentsView:
    """Report payments and reversals. On an account a line counts once by its reference, however often it is sent; what
    is rejected is listed with its code, the rest is kept. A reversal whose payment is not known yet is PENDING."""
    return PaymentsView(items=await usecases.record_payments(tx, body.payments, lender_id=actor.lender_id or ""))


@router.get("/payments/totals")
async def payment_totals(_actor: Reader, tx: ReadTx) -> TotalsView:
    """Sums by currency. A lender sees its own."""
    return TotalsView(items=await queries.totals(tx))
