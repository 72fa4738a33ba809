"""Routes of payments."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from services.cases.ledger import account_queries, queries
from services.cases.ledger.domain.entries import Kind
from services.cases.ledger.schemas import PaymentView, TotalsView
from services.cases.payments import queries as set_aside
from services.cases.payments import settling, usecases
from services.cases.payments.schemas import PaymentsBody, PaymentsView, PostLineBody, SetAsideView
from shared.auth import Actor, Role, allow
from shared.law import StatedDay
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("cases", tag="ledger")
Payer = Annotated[Actor, allow(Role.LENDER)]
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]
Named = Annotated[str | None, Query(max_length=64)]
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/payments")
async def record_payments(body: PaymentsBody, actor: Payer, tx: Tx) -> PaymentsView:
    """Report payments and reversals. On an account a line counts once by its reference, however often it is sent; what
    is rejected is listed with its code, the rest is kept. A reversal whose payment is not known yet is PENDING. An
    UNMATCHED line (no such account here) and one in REVIEW (far above the debt) wait for a person."""
    return PaymentsView(items=await usecases.record_payments(tx, body.payments, lender_id=actor.lender_id or ""))


@router.get("/payments")
async def list_payments(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    lender_id: str | None = None,
    case_id: UUID | None = None,
    account_id: UUID | None = None,
    kind: Kind | None = None,
    reference: Named = None,
    receipt_number: Named = None,
    received_from: StatedDay | None = None,
    received_until: StatedDay | None = None,
) -> Page[PaymentView]:
    """The lines that lenders reported and the cash of the door, in the order in which they were stored. A lender sees
    its own. `received_from` and `received_until` are value dates, both included."""
    wanted = account_queries.PaymentFilter(
        lender_id, case_id, account_id, kind, reference, receipt_number, received_from, received_until
    )
    items = await account_queries.list_payments(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/payments/totals")
async def payment_totals(_actor: Reader, tx: ReadTx) -> TotalsView:
    """Sums by currency. A lender sees its own."""
    return TotalsView(items=await queries.totals(tx))


@router.get("/payments/set-aside")
async def list_set_aside(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    lender_id: str | None = None,
    status: Literal["OPEN", "POSTED", "RETURNED"] | None = None,
    why: Literal["UNMATCHED", "REVIEW"] | None = None,
) -> Page[SetAsideView]:
    """The lines that wait, or waited, for a person, in the order in which they came. A lender sees its own."""
    items = await set_aside.list_set_aside(
        tx, lender_id=lender_id, status=status, why=why, after=page.after(UUID), limit=page.fetch
    )
    return page.of(items, key=lambda item: item.id)


@router.post("/payments/set-aside/{line_id}/post")
async def post_line(line_id: UUID, body: PostLineBody, actor: Supervisor, tx: Tx) -> SetAsideView:
    """Post a line that was set aside: an UNMATCHED one to the account that is named, one in REVIEW to its own. 409 with
    the code of the books where they refuse it; it waits on."""
    return set_aside.view(await settling.post_line(tx, line_id, account_ref=body.account_ref, actor=actor))


@router.post("/payments/set-aside/{line_id}/return")
async def return_line(line_id: UUID, actor: Supervisor, tx: Tx) -> SetAsideView:
    """Return a line to its lender: it is in no book, and the same line sent again is REJECTED `line-returned`."""
    return set_aside.view(await settling.return_line(tx, line_id, actor=actor))
