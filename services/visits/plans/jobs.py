"""The worker's part of planning: judge, ask for positions, route, publish. What takes CPU leaves the event loop, and
what is remote happens outside any transaction."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.base import LAWBOOK
from services.visits.plans import domain, usecases
from services.visits.plans.clients import CasesClient
from services.visits.plans.schemas import DayPlanBody
from services.visits.plans.tables import DayPlanRow
from services.visits.plans.usecases import Judgement
from services.visits.settings import VisitsSettings
from shared.database import Context
from shared.events.envelope import ActorRef
from shared.runtime import Runtime


async def make_next_plan(runtime: Runtime) -> int:
    """Make the oldest plan that was asked for. Returns 1, or 0 where none waits."""
    async with runtime.database.reading() as tx:
        plan = await usecases.next_request(tx)
        if plan is None:
            return 0
        now = await runtime.clock.now(tx)
        rows = await usecases.wanted_cases(tx, plan.day)
        law = await LAWBOOK.law(tx)
    body = DayPlanBody.model_validate(plan.request)
    judgements = await asyncio.to_thread(usecases.judge_day, law, rows, body)
    allowed = [item for item in judgements if item.windows]
    blocked = [item for item in judgements if not item.windows]
    routes, left_out = await _routes(runtime, plan, body, allowed)
    context = Context(actor=ActorRef.parse(plan.asked_by), correlation_id=str(plan.id))
    async with runtime.database.transaction(context, now) as tx:
        await usecases.publish(tx, plan.id, routes, blocked, left_out, master=runtime.master)
    return 1


async def _routes(
    runtime: Runtime, plan: DayPlanRow, body: DayPlanBody, allowed: Sequence[Judgement]
) -> tuple[list[domain.Route], dict[UUID, str]]:
    """The routes of the day, and why the other doors are not on them. Positions are asked for as few as needed."""
    team_ids = body.team_ids or []
    capacity = len(team_ids) * body.visits_per_team_max
    ranked = sorted(allowed, key=lambda item: (-item.row.balance_minor, item.row.id))
    chosen = ranked[:capacity]
    left_out = {item.row.id: domain.CAP_REACHED for item in ranked[capacity:]}
    if not chosen:
        return [], left_out
    settings = VisitsSettings.of(runtime.settings)
    client = CasesClient(settings, runtime.service_token(ActorRef.parse(plan.asked_by)))
    positions = await client.positions([item.row.id for item in chosen])
    left_out |= {item.row.id: domain.NO_POSITION for item in chosen if item.row.id not in positions}
    doors = usecases.doors_of(chosen, positions)
    if not doors:
        return [], left_out
    zone = ZoneInfo(chosen[0].row.time_zone)
    start = datetime.combine(body.day, body.shift.start, zone)
    limits = domain.Limits(
        shift_end=datetime.combine(body.day, body.shift.end, zone),
        visits_per_team_max=body.visits_per_team_max,
        visit=timedelta(minutes=body.minutes_per_visit),
    )
    depot = (body.depot.latitude, body.depot.longitude) if body.depot else domain.middle([d.position for d in doors])
    routes, too_far = await asyncio.to_thread(
        domain.plan_routes, doors, team_ids, depot=depot, start=start, limits=limits
    )
    return routes, left_out | too_far
