"""Reads of day plans."""

from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.plans.schemas import DayPlanView, LeftOutCount, LeftOutView
from services.visits.plans.tables import DayPlanRow, LeftOutRow
from shared.database import Transaction
from shared.errors import NotFound


def view(row: DayPlanRow) -> DayPlanView:
    fields = row.model_dump(include={"id", "day", "status", "asked_at", "visits", "teams", "problem"})
    left_out = [LeftOutCount(reason=reason, count=count) for reason, count in row.left_out.items()]
    return DayPlanView(**fields, kilometres=round(row.metres / 1000, 1), left_out=left_out)


async def get_plan(tx: Transaction, plan_id: UUID) -> DayPlanView:
    row = await tx.session.get(DayPlanRow, plan_id)
    if row is None:
        raise NotFound("plan-not-found", "There is no such plan here.")
    return view(row)


async def list_left_out(tx: Transaction, plan_id: UUID, *, after: UUID | None, limit: int) -> list[LeftOutView]:
    statement = (
        select(LeftOutRow).where(col(LeftOutRow.plan_id) == plan_id).order_by(col(LeftOutRow.case_id)).limit(limit)
    )
    if after is not None:
        statement = statement.where(col(LeftOutRow.case_id) > after)
    rows = await tx.session.scalars(statement)
    return [LeftOutView(case_id=row.case_id, reason=row.reason, decision_id=row.decision_id) for row in rows]
