"""The worker's timer that ends the day: visits that did not begin are missed, for the reason that the visit, the gate
and the plan know."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.gate import queries as gate_queries
from services.visits.people import teams
from services.visits.people.domain import OffDuty
from services.visits.plans.tables import DayPlanRow
from services.visits.visit import crews, domain, missed
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.due import in_pages
from shared.law import Step


async def _end_days(tx: Transaction) -> int:
    """End the day for one page of visits. Returns how many."""
    visits = await missed.lock_due(tx)
    await caseload.lock_all(tx, sorted({visit.case_id for visit in visits}))
    await _end_day(tx, visits)
    return len(visits)


miss_due_visits = in_pages(missed.is_any_due, _end_days)


async def _end_day(tx: Transaction, visits: Sequence[VisitRow]) -> None:
    not_begun = [visit for visit in visits if visit.status != VisitStatus.CHECKED_IN]
    planned = {visit.id for visit in not_begun if visit.status == VisitStatus.PLANNED}
    sent = {visit.id for visit in not_begun} - planned
    stopped = await gate_queries.stopped_visits(tx, planned, Step.DISPATCH)
    stopped |= await gate_queries.stopped_visits(tx, sent, Step.CHECK_IN)
    plans = await _plans_of(tx, not_begun)
    off = await _off_duty(tx, not_begun)
    for visit in visits:
        if visit.status == VisitStatus.CHECKED_IN:
            missed.mark_overdue(tx, visit)
            continue
        happened, alone = plans.get(visit.plan_id, {}), crews.cannot_go(visit, off[visit.day_ends_at or tx.now])
        reason = domain.why_missed(
            visit.status,
            arrived=len(visit.check_ins),
            blocked=visit.id in stopped and not alone,
            team_ill=alone or str(visit.team_id) in happened.get("ill_team_ids", ()),
            team_late=str(visit.team_id) in _late_teams(happened),
        )
        missed.miss(tx, visit, reason)


async def _off_duty(tx: Transaction, visits: Sequence[VisitRow]) -> dict[datetime, Sequence[OffDuty]]:
    """Who was off duty when the days of these visits ended: a later suspension is no reason why a visit was missed."""
    members: dict[datetime, set[UUID]] = defaultdict(set)
    for visit in visits:
        members[visit.day_ends_at or tx.now].update(visit.team)
    return {ends_at: await teams.off_duty(tx, team, ends_at) for ends_at, team in members.items()}


async def _plans_of(tx: Transaction, visits: Sequence[VisitRow]) -> dict[UUID, Mapping[str, Any]]:
    """What happened on the day of each plan of these visits."""
    plan_ids = {visit.plan_id for visit in visits}
    rows = await tx.session.execute(
        select(col(DayPlanRow.id), col(DayPlanRow.happened)).where(col(DayPlanRow.id).in_(plan_ids))
    )
    return {plan_id: happened or {} for plan_id, happened in rows.all()}


def _late_teams(happened: Mapping[str, Any]) -> set[str]:
    """Teams that were late when the plan was made, or the one that it replaced."""
    return {each["team_id"] for each in happened.get("late", ())} | set(happened.get("late_until", ()))
