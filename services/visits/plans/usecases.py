"""Ask for a plan, judge who may be visited that day, and publish what the planner made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, or_, select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.distance import Position
from services.visits.gate import usecases as gate
from services.visits.people import usecases as people
from services.visits.people.tables import TeamRow
from services.visits.plans import domain
from services.visits.plans.domain import Door, Route
from services.visits.plans.schemas import DayPlanBody
from services.visits.plans.tables import DayPlanRow, LeftOutRow
from services.visits.visit import domain as visits
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import PlannedStop, plan_visit
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.events.visits import DayPlanPublished, VisitPlanned
from shared.ids import new_id
from shared.law import Decision, Facts, Law, Step, evaluate, lawful_windows
from shared.sealing import Sealer


async def request_plan(tx: Transaction, body: DayPlanBody, *, actor: Actor) -> DayPlanRow:
    """Note the request; the worker makes the plan. Raises NotFound for a team, Invalid where there is none."""
    known = (await tx.session.scalars(select(col(TeamRow.id)).order_by(col(TeamRow.id)))).all()
    team_ids = known if body.team_ids is None else sorted(set(body.team_ids))
    if not set(team_ids) <= set(known):
        raise NotFound("team-not-found", "One of these teams does not exist here.")
    if not team_ids:
        raise Invalid("no-teams", "There is no team to plan for: form one first (POST /visits/v1/teams).")
    request = body.model_copy(update={"team_ids": team_ids}).model_dump(mode="json")
    row = DayPlanRow(
        id=new_id(),
        day=body.day,
        status="REQUESTED",
        request=request,
        asked_by=str(actor.ref),
        asked_at=tx.now,
        left_out={},
        version=0,
    )
    tx.session.add(row)
    tx.wake_worker()
    return row


async def next_request(tx: Transaction) -> DayPlanRow | None:
    row: DayPlanRow | None = await tx.session.scalar(
        select(DayPlanRow).where(col(DayPlanRow.status) == "REQUESTED").order_by(col(DayPlanRow.id)).limit(1)
    )
    return row


async def wanted_cases(tx: Transaction, day: date) -> list[CaseloadRow]:
    """Cases that a visit is wanted for, by that day, and that none is planned or under way for."""
    busy = select(col(VisitRow.case_id)).where(col(VisitRow.status).in_(visits.OPEN))
    rows = await tx.session.scalars(
        select(CaseloadRow)
        .where(
            col(CaseloadRow.wanted).is_(True),
            col(CaseloadRow.opened).is_(True),
            col(CaseloadRow.balance_minor) > 0,
            or_(col(CaseloadRow.not_before).is_(None), col(CaseloadRow.not_before) <= day),
            col(CaseloadRow.id).not_in(busy),
        )
        .order_by(col(CaseloadRow.id))
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a case may be visited on a day: its lawful windows, or the decision that forbids it all day."""

    row: CaseloadRow
    windows: tuple[domain.Window, ...]
    facts: Facts
    decision: Decision | None


def judge_day(law: Law, rows: Sequence[CaseloadRow], body: DayPlanBody) -> list[Judgement]:
    """Ask the law about every case, for the shift of that day. Pure, and CPU-bound: run it in a thread."""
    return [_judge(law, row, body) for row in rows]


def _judge(law: Law, row: CaseloadRow, body: DayPlanBody) -> Judgement:
    zone = ZoneInfo(row.time_zone)
    start = datetime.combine(body.day, body.shift.start, zone)
    end = datetime.combine(body.day, body.shift.end, zone)
    facts = facts_of(row, start)
    packs = law.packs_for(row.jurisdiction, body.day)
    windows = tuple(
        (max(opens, start), min(closes, end))
        for opens, closes in lawful_windows(packs, facts, body.day)
        if max(opens, start) < min(closes, end)
    )
    decision = None if windows else evaluate(packs, Step.PLAN, facts)
    return Judgement(row, windows, facts, decision)


async def publish(
    tx: Transaction,
    plan_id: UUID,
    routes: Sequence[Route],
    blocked: Sequence[Judgement],
    left_out: dict[UUID, str],
    *,
    master: Sealer,
) -> None:
    """Write the visits, their decisions and what was left out, in one transaction; a plan is published once."""
    plan = await tx.session.get(DayPlanRow, plan_id, with_for_update=True)
    if plan is None or plan.status != "REQUESTED":
        return
    stops = [(route, place, stop) for route in routes for place, stop in enumerate(route.stops)]
    cases = await caseload.lock_all(tx, [stop.case_id for _, _, stop in stops] + [item.row.id for item in blocked])
    members = await people.members_of(tx, [route.team_id for route in routes])
    left_out_rows = {case_id: LeftOutRow(plan_id=plan_id, case_id=case_id, reason=r) for case_id, r in left_out.items()}
    for item in blocked:
        judged = await gate.decide(tx, cases[item.row.id], Step.PLAN, item.facts, visit_id=None)
        reason = judged.rules[0] if judged.rules else "no-lawful-window"
        left_out_rows[item.row.id] = LeftOutRow(
            plan_id=plan_id, case_id=item.row.id, reason=reason, decision_id=judged.id
        )
    planned = []
    for route, place, stop in stops:
        case = cases[stop.case_id]
        facts = facts_of(case, stop.start).model_copy(update={"ends_at": stop.end})
        judged = await gate.decide(tx, case, Step.PLAN, facts, visit_id=None)
        if judged.blocked or not case.wanted:
            left_out_rows[case.id] = LeftOutRow(
                plan_id=plan_id, case_id=case.id, reason=(judged.rules or ["not-wanted"])[0], decision_id=judged.id
            )
            continue
        collectors = members[route.team_id]
        where = PlannedStop(route.team_id, collectors, place, stop.start, stop.end, stop.position)
        visit, secret = plan_visit(tx, case, where, plan_id=plan_id, master=master)
        planned.append((visit, secret))
        _publish_planned(tx, visit, collectors)
    tx.session.add_all([visit for visit, _ in planned])
    await tx.session.flush()
    tx.session.add_all([secret for _, secret in planned])
    if left_out_rows:
        await tx.session.execute(insert(LeftOutRow), [row.model_dump() for row in left_out_rows.values()])
    plan.status, plan.visits = "PUBLISHED", len(planned)
    plan.teams = sum(bool(route.stops) for route in routes)
    plan.metres = round(sum(route.metres for route in routes))
    plan.left_out = domain.counted({row.case_id: row.reason for row in left_out_rows.values()})
    event = DayPlanPublished(
        plan_id=plan.id,
        day=plan.day,
        visits=plan.visits,
        teams=plan.teams,
        left_out=plan.left_out,
        metres=plan.metres,
    )
    tx.publish(event, aggregate=plan, key=plan.id)


def _publish_planned(tx: Transaction, visit: VisitRow, collectors: list[UUID]) -> None:
    event = VisitPlanned(
        case_id=visit.case_id,
        visit_id=visit.id,
        plan_id=visit.plan_id,
        team_id=visit.team_id,
        collector_ids=collectors,
        purpose=visit.purpose,
        window_start=visit.window_start,
        window_end=visit.window_end,
    )
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)


def doors_of(judgements: Sequence[Judgement], positions: dict[UUID, Position]) -> list[Door]:
    return [
        Door(item.row.id, positions[item.row.id], item.windows, item.row.balance_minor)
        for item in judgements
        if item.row.id in positions
    ]
