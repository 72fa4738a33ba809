"""Reads of stored decisions."""

from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.visits.gate.schemas import DecisionView, RuleCount
from services.visits.gate.tables import DecisionRow, DecisionRuleRow
from shared.database import Transaction
from shared.errors import NotFound


def _view(row: DecisionRow) -> DecisionView:
    return DecisionView.model_validate(row.model_dump(exclude={"version"}))


async def get_decision(tx: Transaction, decision_id: UUID) -> DecisionView:
    row = await tx.session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("decision-not-found", "There is no such decision here.")
    return _view(row)


async def list_decisions(
    tx: Transaction, *, case_id: UUID | None, verdict: str | None, after: UUID | None, limit: int
) -> list[DecisionView]:
    """Decisions in the order in which they were taken."""
    statement = select(DecisionRow).order_by(col(DecisionRow.id)).limit(limit)
    if case_id is not None:
        statement = statement.where(col(DecisionRow.case_id) == case_id)
    if verdict is not None:
        statement = statement.where(col(DecisionRow.verdict) == verdict)
    if after is not None:
        statement = statement.where(col(DecisionRow.id) > after)
    return [_view(row) for row in await tx.session.scalars(statement)]


async def count_by_rule(tx: Transaction) -> list[RuleCount]:
    """How often each rule warned or blocked, at which step."""
    columns = (col(DecisionRuleRow.rule_id), col(DecisionRuleRow.step), col(DecisionRuleRow.verdict))
    rows = await tx.session.execute(select(*columns, func.count()).group_by(*columns).order_by(*columns))
    return [
        RuleCount(rule_id=rule, step=step, verdict=verdict, count=count) for rule, step, verdict, count in rows.all()
    ]
