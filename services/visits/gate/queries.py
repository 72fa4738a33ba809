"""Reads of stored decisions, and the running of one again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.visits.gate.domain import digest_of
from services.visits.gate.kept_packs import packs_named
from services.visits.gate.schemas import DecisionView, GroundView, ReplayView, RuleCount, RuleCounts, StepCount
from services.visits.gate.tables import DecisionRow, DecisionRuleRow, GroundRow, KeptPackRow
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.law import Facts, PackInvalid, Step, UnknownVersion, Verdict, evaluate
from shared.listing import page_of


def _view(row: DecisionRow) -> DecisionView:
    return DecisionView.model_validate(row.model_dump(exclude={"version"}))


async def get_decision(tx: Transaction, decision_id: UUID) -> DecisionView:
    return _view(await _find(tx, decision_id))


async def _find(tx: Transaction, decision_id: UUID) -> DecisionRow:
    row = await tx.session.get(DecisionRow, decision_id)
    if row is None:
        raise NotFound("decision-not-found", "There is no such decision here.")
    return row


async def deciding(tx: Transaction, decision_ids: Collection[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """What each of these decisions found that made its verdict, as it is stored."""
    rows = await tx.session.scalars(select(DecisionRow).where(col(DecisionRow.id).in_(decision_ids)))
    return {row.id: [each for each in row.decision["findings"] if each["verdict"] == row.verdict] for row in rows}


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    case_id: UUID | None = None
    step: str | None = None
    verdict: str | None = None


async def list_decisions(
    tx: Transaction, wanted: DecisionFilter, *, after: UUID | None, limit: int
) -> list[DecisionView]:
    """Decisions in the order in which they were taken."""
    statement = select(DecisionRow)
    for column, value in (
        (col(DecisionRow.case_id), wanted.case_id),
        (col(DecisionRow.step), wanted.step),
        (col(DecisionRow.verdict), wanted.verdict),
    ):
        if value is not None:
            statement = statement.where(column == value)
    statement = page_of(statement, col(DecisionRow.id), after=after, limit=limit)
    return [_view(row) for row in await tx.session.scalars(statement)]


async def count(tx: Transaction, *, since: datetime | None, until: datetime | None) -> RuleCounts:
    """How many decisions were taken at each step, and how often each rule warned or blocked, within a time."""
    within = [
        *([col(DecisionRow.decided_at) >= since] if since else []),
        *([col(DecisionRow.decided_at) < until] if until else []),
    ]
    steps = (col(DecisionRow.step), col(DecisionRow.verdict))
    taken = await tx.session.execute(select(*steps, func.count()).where(*within).group_by(*steps).order_by(*steps))
    rules = (col(DecisionRuleRow.rule_id), col(DecisionRuleRow.step), col(DecisionRuleRow.verdict))
    statement = select(*rules, func.count()).group_by(*rules).order_by(*rules)
    if within:
        statement = statement.join(DecisionRow, col(DecisionRow.id) == col(DecisionRuleRow.decision_id)).where(*within)
    found = await tx.session.execute(statement)
    return RuleCounts(
        items=[RuleCount(rule_id=rule, step=step, verdict=verdict, count=n) for rule, step, verdict, n in found.all()],
        decisions=[StepCount(step=step, verdict=verdict, count=n) for step, verdict, n in taken.all()],
    )


async def page_backwards(
    tx: Transaction, *, before: UUID | None, first_day: date | None, last_day: date | None, limit: int
) -> list[DecisionRow]:
    """Decisions of some days (UTC), the newest first."""
    statement = select(DecisionRow)
    if first_day is not None:
        statement = statement.where(col(DecisionRow.decided_at) >= datetime.combine(first_day, time(), UTC))
    if last_day is not None:
        statement = statement.where(
            col(DecisionRow.decided_at) < datetime.combine(last_day + timedelta(days=1), time(), UTC)
        )
    page = page_of(statement, col(DecisionRow.id), after=before, limit=limit, newest_first=True)
    return list(await tx.session.scalars(page))


async def first_uses(tx: Transaction, digests: Collection[str]) -> dict[str, datetime | None]:
    """When a stored decision first named each of these versions of packs. One that none names is left out; None: before
    such times were recorded."""
    used = select(col(KeptPackRow.digest), col(KeptPackRow.first_used_at)).where(col(KeptPackRow.digest).in_(digests))
    return {row.digest: row.first_used_at for row in await tx.session.execute(used)}


async def replay(tx: Transaction, decision_id: UUID) -> ReplayView:
    """Run a stored decision again. Raises NotFound; Conflict where a version that it names is not known here."""
    row = await _find(tx, decision_id)
    try:
        packs = await packs_named(tx, row.decision["packs"])
    except (UnknownVersion, PackInvalid) as unknown:
        raise Conflict("pack-version-unknown", f"This decision cannot run again here: {unknown}") from None
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
    statement = select(GroundRow).where(col(GroundRow.case_id) == case_id)
    statement = page_of(statement, col(GroundRow.id), after=after, limit=limit)
    return [ground_view(row) for row in await tx.session.scalars(statement)]


async def facts_of(tx: Transaction, decision_id: UUID) -> Facts:
    """The facts that a stored decision rests on. Raises NotFound."""
    return Facts.from_json((await _find(tx, decision_id)).facts)


async def incidents_of(tx: Transaction, decision_id: UUID) -> set[str]:
    """The rules by which a stored decision says that something forbidden happened. Raises NotFound."""
    findings = (await _find(tx, decision_id)).decision["findings"]
    return {each["rule_id"] for each in findings if each["incident"]}


async def stopped_visits(tx: Transaction, visit_ids: Collection[UUID], step: Step) -> set[UUID]:
    """Of these visits, those that the law stopped at this step."""
    rows = select(col(DecisionRow.visit_id)).where(
        col(DecisionRow.visit_id).in_(visit_ids),
        col(DecisionRow.step) == step,
        col(DecisionRow.verdict) == Verdict.BLOCK,
    )
    return set(await tx.session.scalars(rows))
