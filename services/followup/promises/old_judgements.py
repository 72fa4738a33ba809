"""Promises that an earlier release judged, and that would stand otherwise under the rules of today. They are listed for
a person to look at; nothing is changed.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.followup.promises.domain import Promise, PromiseStatus, Standing
from services.followup.promises.explaining import Known, sentences
from services.followup.promises.replay import replay
from services.followup.promises.schemas import ExplanationView, OldJudgementView
from services.followup.promises.tables import PromiseRow, ReceivedRow
from shared.bulk import among
from shared.database import Transaction
from shared.events.values import Amount
from shared.listing import page_of
from shared.money import Money


async def frozen_promises(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[PromiseRow]:
    """Promises that an earlier release judged, in the order in which they were made."""
    frozen = select(PromiseRow).where(col(PromiseRow.frozen))
    return (await tx.session.scalars(page_of(frozen, col(PromiseRow.id), after=after, limit=limit))).all()


async def that_would_be_another(tx: Transaction, rows: Sequence[PromiseRow], now: datetime) -> list[OldJudgementView]:
    """Those of these promises that a replay of all of their cases ends otherwise."""
    cases = {row.case_id for row in rows}
    promises, payments = defaultdict[UUID, list[PromiseRow]](list), defaultdict[UUID, list[ReceivedRow]](list)
    for row in await tx.session.scalars(select(PromiseRow).where(among(tx, col(PromiseRow.case_id), cases))):
        promises[row.case_id].append(row)
    for payment in await tx.session.scalars(select(ReceivedRow).where(among(tx, col(ReceivedRow.case_id), cases))):
        payments[payment.case_id].append(payment)
    found: dict[UUID, OldJudgementView] = {}
    for case_id in cases:
        money = payments[case_id]
        net = [replace(each.money, amount=each.amount_minor - each.reversed_minor) for each in money]
        standings = replay(map(_acted_on, promises[case_id]), net, (), now)
        for row in promises[case_id]:
            if row.frozen and standings[row.id].status != row.status:
                found[row.id] = _view(row, standings, money)
    return [found[row.id] for row in rows if row.id in found]


def _acted_on(row: PromiseRow) -> Promise:
    """The promise with what persons did to it. An earlier release kept of a cancelled one only when it ended."""
    cancelled_on = row.ended_on if row.status == PromiseStatus.CANCELLED else row.cancelled_on
    return replace(row.promise, cancelled_on=cancelled_on)


def _view(row: PromiseRow, standings: dict[UUID, Standing], payments: Sequence[ReceivedRow]) -> OldJudgementView:
    standing = standings[row.id]
    applied, elsewhere = Counter[UUID](), Counter[UUID]()
    for promise_id, each in standings.items():
        for part in each.applied:
            (applied if promise_id == row.id else elsewhere)[part.payment_id] += part.amount
    said = sentences(
        Known(
            promise=row.promise,
            status=standing.status,
            paid=standing.paid,
            ended_on=standing.ended_on,
            by_balance=standing.by_balance,
            payments=[payment.money for payment in sorted(payments, key=lambda each: each.received_on)],
            applied=applied,
            elsewhere=elsewhere,
            taken_back={payment.payment_id: payment.reversed_minor for payment in payments},
        )
    )
    return OldJudgementView(
        promise_id=row.id,
        case_id=row.case_id,
        lender_id=row.lender_id,
        status=PromiseStatus(row.status),
        paid=Amount.of(Money.of_minor(row.paid_minor, row.currency)),
        would_be=standing.status,
        would_have_paid=Amount.of(Money.of_minor(standing.total_paid, row.currency)),
        explanation=ExplanationView(en=[en for en, _ in said], zh=[zh for _, zh in said]),
    )
