"""The job of a plan: judge, ask for positions and ways, let the planner's process solve, store, publish.
What takes CPU leaves the event loop, what is remote happens outside any transaction, and each is begun again from the
request if it is cut off.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.base import LAWBOOK
from services.visits.building import replan
from services.visits.building.day_builder import Candidate, UnderWay, compose, crews_of, places_of
from services.visits.building.watching import solve_watched
from services.visits.candidates.clients import CasesClient
from services.visits.candidates.judging import DayJudge, Judgement
from services.visits.candidates.prizes import Prize, Segment, TableOfChances, prize_of
from services.visits.candidates.travel import travel_times
from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from services.visits.people import teams
from services.visits.people.domain import can_go
from services.visits.plans import queries, usecases
from services.visits.plans.plan_basis import routes_in
from services.visits.plans.publishing import Solved, publish_if_possible, store_solved
from services.visits.plans.schemas import DayPlanBody
from services.visits.plans.tables import DayPlanRow
from services.visits.routing.day import DOORS_MAX, DayInvalid, Effort
from services.visits.routing.planner import Planner, PlannerFailed, ProcessPlanner
from services.visits.routing.reasons import LeftOut, Reason
from services.visits.settings import VisitsSettings
from shared.auth import Role
from shared.clock import monotonic_seconds
from shared.database import Transaction
from shared.errors import DomainError
from shared.events.envelope import ActorRef
from shared.job_runner import Work
from shared.jobs import JobKind
from shared.law import Agency, CollectorFacts, Law, VisitPurpose
from shared.money import Money
from shared.runtime import Runtime

STEPS = 3
"""Judged and asked for, solved, stored."""
DOORS_PER_PLACE = 2
"""Of cases worth a visit, so many for each place on a route are looked at: positions are asked for as few as needed."""
DOORS_MIN = 200
"""So many are always looked at: those worth most may turn out to be too far away."""

BROKEN = "Planning failed. Other plans are not affected. Try again with half of the cases to find the one that fails."

CHANCES = TableOfChances()
PLANNER: Planner = ProcessPlanner()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read at the start: the request, who is wanted, the law, the teams, and the day so far. `since` is when
    the work on it began, in seconds of the monotonic clock."""

    since: float
    plan: DayPlanRow
    body: DayPlanBody
    now: datetime
    rows: list[CaseloadRow]
    not_wanted: list[LeftOut]
    law: Law
    teams: dict[UUID, tuple[CollectorFacts, ...]]
    agencies: Mapping[str | None, Agency]
    so_far: replan.SoFar | None


async def make(work: Work) -> None:
    """Make a plan from its request: one that was made, or cancelled, is left as it is."""
    known = await _read(work)
    body = known.body
    async with PLANNER.ahead(Effort(body.seconds, body.iterations, body.seed)) as planner:
        solved = await _solve(work, known, planner)
    await _store(work, known, solved)


async def _read(work: Work) -> _Known:
    since = monotonic_seconds()
    await work.report(step="JUDGING", total=STEPS)
    async with work.reading() as tx:
        plan = await queries.get_row(tx, work.id)
        body = DayPlanBody.model_validate(plan.request)
        so_far = await replan.read(tx, plan) if plan.replaces else None
        only = {*body.case_ids, *body.priority_case_ids} if body.case_ids else set[UUID]()
        gone = so_far.gone if so_far else {}
        rows = await queries.wanted_cases(
            tx, plan.day, only=only, again=so_far.case_ids if so_far else (), without=gone
        )
        named = so_far.happened.urgent_case_ids if so_far else [*(body.case_ids or ()), *body.priority_case_ids]
        not_wanted = await _not_wanted(tx, plan.day, only, named) | gone
        crews = await teams.crews_on(tx, body.team_ids or [], plan.day)
        return _Known(
            since=since,
            plan=plan,
            body=body,
            now=tx.now,
            rows=rows,
            not_wanted=[LeftOut(str(each), not_wanted[each]) for each in sorted(not_wanted.keys() - _ids_of(rows))],
            law=await LAWBOOK.law(tx),
            teams=await teams.teams_facts(tx, {each: crew for each, crew in crews.items() if can_go(crew)}, tx.now),
            agencies=await caseload.agencies_of(tx, rows),
            so_far=so_far,
        )


def _ids_of(rows: Sequence[CaseloadRow]) -> set[UUID]:
    return {row.id for row in rows}


async def _not_wanted(
    tx: Transaction, day: date, only: Collection[UUID], named: Collection[UUID]
) -> dict[UUID, Reason]:
    """Why cases are not looked at: those that were named, and those that an open visit holds."""
    return await queries.why_not_wanted(tx, named, day) | await queries.with_open_visit(tx, day, only=only)


async def _solve(work: Work, known: _Known, planner: Planner) -> Solved:
    plan, body = known.plan, known.body
    runtime, settings = work.runtime, VisitsSettings.of(work.runtime.settings)
    judge = DayJudge(known.law, plan.day, known.teams, settings, known.now, known.agencies)
    judgements = await asyncio.to_thread(judge.judge_all, known.rows)
    allowed = [item for item in judgements if item.windows]
    area = _area(allowed)
    zone = ZoneInfo(area.time_zone if area else "UTC")
    if not known.teams:
        raise DayInvalid("no-teams", "", usecases.NO_TEAM)
    crews = [crew for crew in crews_of(body, zone, known.now) if crew.team_id in known.teams]
    if not crews:
        raise DayInvalid("no-shift-left", "", "The shift of every team is over by now: ask for a later day or shift.")
    day = UnderWay(tuple(crews))
    if known.so_far is not None:
        day = replan.under_way(known.so_far, day.crews, known.now)
    await work.report(step="ASKING", done=1)
    candidates, left_out = await _candidates(runtime, known, allowed, len(day.crews), settings)
    places, middle = places_of(day.crews, candidates)
    travel = await travel_times(settings, area.jurisdiction if area else "").table(places)
    basis = compose(
        plan.day,
        day.crews,
        candidates,
        travel,
        places,
        middle,
        visit_seconds=body.minutes_per_visit * 60,
        pins=day.pins,
    )
    warm = {team: tuple(names) for team, names in day.routes.items()}
    # What judging and asking took is taken off the search, though never more than half of it.
    seconds = max(body.seconds / 2, body.seconds - (monotonic_seconds() - known.since))
    effort = Effort(seconds, body.iterations, body.seed, warm)
    await work.report(step="SOLVING", done=2)
    planned = await solve_watched(work, planner, basis.day, effort)
    refused = [item for item in judgements if not item.windows]
    left_out = [*day.explained(planned.left_out), *left_out, *known.not_wanted]
    remembered = known.so_far.remembered(day.crews) if known.so_far else {}
    return Solved(basis, routes_in(planned.plan), left_out, refused, travel.source, remembered)


def _area(allowed: Sequence[Judgement]) -> CaseloadRow | None:
    """A case of the area that most of the day's cases lie in: its clock and its speed are the day's."""
    areas = Counter((item.row.jurisdiction, item.row.time_zone) for item in allowed)
    most = max(areas, key=lambda area: (areas[area], area), default=None)
    return next((item.row for item in allowed if (item.row.jurisdiction, item.row.time_zone) == most), None)


async def _candidates(
    runtime: Runtime, known: _Known, allowed: Sequence[Judgement], crews: int, settings: VisitsSettings
) -> tuple[list[Candidate], list[LeftOut]]:
    """The cases worth most, with their positions; and why the other lawful ones are not looked at."""
    urgent = set(known.body.priority_case_ids)
    prizes = {item.row.id: _prize(item.row, settings, urgent=item.row.id in urgent) for item in allowed}
    ranked, left_out = _one_a_person(sorted(allowed, key=lambda item: (-prizes[item.row.id].seconds, item.row.id)))
    most = min(DOORS_MAX, max(DOORS_PER_PLACE * crews * known.body.visits_per_team_max, DOORS_MIN))
    left_out += [
        LeftOut(str(item.row.id), Reason.LESS_WORTH, prize=prizes[item.row.id].seconds) for item in ranked[most:]
    ]
    client = CasesClient(settings, runtime.service_token(ActorRef.parse(known.plan.asked_by)))
    positions = await client.positions([item.row.id for item in ranked[:most]])
    candidates = []
    for item in ranked[:most]:
        position = positions.get(item.row.id)
        if position is None or position == (0.0, 0.0):
            left_out.append(LeftOut(str(item.row.id), Reason.NO_POSITION, prize=prizes[item.row.id].seconds))
        else:
            candidates.append(Candidate(item, prizes[item.row.id], position))
    return candidates, left_out


def _one_a_person(ranked: Sequence[Judgement]) -> tuple[list[Judgement], list[LeftOut]]:
    """A person with cases at several lenders is visited once a day, for the case that is worth most."""
    chosen: list[Judgement] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for item in ranked:
        person = item.row.person_ref or str(item.row.id)
        if person in seen:
            left_out.append(LeftOut(str(item.row.id), Reason.SAME_PERSON))
        else:
            seen.add(person)
            chosen.append(item)
    return chosen, left_out


def _prize(row: CaseloadRow, settings: VisitsSettings, *, urgent: bool) -> Prize:
    """Raises DayInvalid where nobody said what a team's hour costs in the case's currency."""
    cost = settings.team_hour_costs.get(row.currency)
    if cost is None:
        raise DayInvalid(
            "no-team-hour-cost",
            "",
            f"What an hour of a team costs in {row.currency} is not set: add it to DOORSTEP_TEAM_HOUR_COSTS.",
        )
    return prize_of(
        Money.of_minor(row.balance_minor, row.currency),
        Segment(row.days_past_due, VisitPurpose(row.purpose), row.product),
        chances=CHANCES,
        team_hour=Money(cost, row.currency),
        urgent=urgent,
    )


async def _store(work: Work, known: _Known, solved: Solved) -> None:
    """Store what was solved and publish it, in one transaction; where publishing is refused, it stays solved and says
    why."""
    async with work.transaction(
        known.now, actor=work.asked_by, correlation_id=str(work.id), done=STEPS, step="STORED", ends=True
    ) as tx:
        plan = await usecases.lock(tx, work.id)
        row = await store_solved(tx, plan, solved)
        if known.body.publish:
            await publish_if_possible(tx, plan, row, solved.basis)


PLANS = JobKind(
    name=usecases.KIND,
    work=make,
    given_up=usecases.give_up,
    roles=frozenset({Role.SUPERVISOR}),
    expected=(DayInvalid, PlannerFailed, DomainError),
    broken=BROKEN,
)
