"""Reads of stored decisions, and the running of one again."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.visits.base import LAWBOOK
from services.visits.gate.domain import digest_of
from services.visits.gate.schemas import DecisionView, GroundView, ReplayView, RuleCount
from services.visits.gate.tables import DecisionRow, DecisionRuleRow, GroundRow
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.law import Facts, Step, UnknownVersion, evaluate


def _view(row: DecisionRow) -> DecisionView:
    return DecisionView.model_validate(row.model_dump(exclude={"version"}))


async def get_decision(tx: Transaction, decision_id: UUID) -> DecisionView:
    return _view(await _find(tx, decision_id))


async def _find(tx: Transaction, decision_id: UUID) -> DecisionRow:
    row = await tx.session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("decision-not-found", "There is no such decision here.")
    return row


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


async def page_backwards(
    tx: Transaction, *, before: UUID | None, first_day: date | None, last_day: date | None, limit: int
) -> list[DecisionRow]:
    """Decisions of some days (UTC), the newest first."""
    statement = select(DecisionRow).order_by(col(DecisionRow.id).desc()).limit(limit)
    if before is not None:
        statement = statement.where(col(DecisionRow.id) < before)
    if first_day is not None:
        statement = statement.where(col(DecisionRow.decided_at) >= datetime.combine(first_day, time(), UTC))
    if last_day is not None:
        statement = statement.where(
            col(DecisionRow.decided_at) < datetime.combine(last_day + timedelta(days=1), time(), UTC)
        )
    return list(await tx.session.scalars(statement))


async def replay(tx: Transaction, decision_id: UUID) -> ReplayView:
    """Run a stored decision again. Raises NotFound; Conflict where a version that it names is not known here."""
    row = await _find(tx, decision_id)
    law = await LAWBOOK.law(tx)
    try:
        packs = law.exactly(row.decision["packs"])
    except UnknownVersion as unknown:
        raise Conflict("pack-version-unknown", f"This decision cannot be run again here: {unknown}") from None
    again = evaluate(packs, Step(row.step), Facts.from_json(row.facts))
    digest = digest_of(again.facts.to_json(), again.to_json())
    return ReplayView(
        decision_id=row.id,
        same=digest == row.digest,
        verdict=row.verdict,
        replayed_verdict=again.verdict,
        digest=row.digest,
        replayed_digest=digest,
    )


def ground_view(row: GroundRow) -> GroundView:
    return GroundView.model_validate(row.model_dump(exclude={"version"}))


async def list_grounds(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[GroundView]:
    """The grounds of a case, in the order in which they were recorded."""
    statement = select(GroundRow).where(col(GroundRow.case_id) == case_id).order_by(col(GroundRow.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(GroundRow.id) > after)
    return [ground_view(row) for row in await tx.session.scalars(statement)]
