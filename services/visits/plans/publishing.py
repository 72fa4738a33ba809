"""From a solved plan to visits that stand: each is judged by the gate once more, at its own time, and published. A plan
that replaces another moves its visits, cancels what fell off, and never touches one that is under way.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert, or_, select
from sqlmodel import col

from services.visits.candidates.judging import REASON_BY_RULE, Judgement
from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.distance import Position
from services.visits.gate import usecases as gate
from services.visits.people import teams
from services.visits.people.domain import can_go
from services.visits.plans import domain
from services.visits.plans.domain import Assignment, PlanStatus
from services.visits.plans.plan_basis import Basis, Routes, keep
from services.visits.plans.tables import DayPlanRow, LeftOutRow, PlanBasisRow
from services.visits.plans.usecases import count_left_out, hold_to_the_day, note_revision, sum_up, teams_taken
from services.visits.routing.day import Route
from services.visits.routing.reasons import LeftOut, Reason
from services.visits.visit import domain as visit_life
from services.visits.visit import usecases as visits
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import PlannedStop, plan_visit
from shared.database import Transaction
from shared.errors import Conflict
from shared.events.visits import DayPlanPublished
from shared.law import Agency, Decision, Disposition, Facts, Step, Verdict


@dataclass(frozen=True, slots=True)
class Solved:
    """What the planner made: the day it planned, the routes, and why the others are left out."""

    basis: Basis
    routes: Routes
    left_out: Sequence[LeftOut]
    refused: Sequence[Judgement]
    travel_source: str
    remembered: Mapping[str, Any]


async def store_solved(tx: Transaction, plan: DayPlanRow, solved: Solved) -> PlanBasisRow:
    """DRAFT → SOLVED: routes and reasons, with a stored decision for each case that a rule forbids."""
    if solved.remembered:
        plan.happened = {**(plan.happened or {}), **solved.remembered}
    kept = await keep(tx, plan.id, solved.basis, solved.routes)
    tx.session.add(kept)
    cases = await caseload.lock_all(tx, [item.row.id for item in solved.refused if item.decision])
    rows = [_left_out(plan.id, each) for each in solved.left_out]
    for item in solved.refused:
        decision = item.decision and gate.store(tx, cases[item.row.id], item.decision, visit_id=None)
        rows.append(
            LeftOutRow(
                plan_id=plan.id,
                case_id=item.row.id,
                reason=item.reason or Reason.NO_WINDOW,
                rule_id=item.rule_id,
                decision_id=decision.id if decision else None,
            )
        )
    await tx.session.flush()
    if rows:
        await tx.session.execute(insert(LeftOutRow), [row.model_dump() for row in rows])
    plan.status, plan.travel_source = PlanStatus.SOLVED, solved.travel_source
    plan.left_out = await count_left_out(tx, plan.id)
    sum_up(plan, solved.basis, solved.routes)
    before = await _assignments_before(tx, plan)
    changes = domain.changes_between(before, solved.basis.assignments(solved.routes))
    plan.changes = changes.to_json() if plan.replaces else None
    note_revision(tx, plan, "solved", plan.asked_by, changes)
    return kept


def _left_out(plan_id: UUID, each: LeftOut) -> LeftOutRow:
    return LeftOutRow(
        plan_id=plan_id,
        case_id=UUID(each.door),
        reason=each.reason,
        prize_seconds=each.prize,
        detour_seconds=each.detour,
    )


async def _assignments_before(tx: Transaction, plan: DayPlanRow) -> dict[UUID, Assignment]:
    """What the plan that this one replaces still holds: visits that nobody has set out for."""
    if plan.replaces is None:
        return {}
    rows = await tx.session.scalars(
        select(VisitRow).where(col(VisitRow.plan_id) == plan.replaces, col(VisitRow.status) == VisitStatus.PLANNED)
    )
    return {row.case_id: Assignment(row.team_id, row.window_start) for row in rows}


@dataclass(slots=True)
class _Publication:
    """What one publication needs to have at hand."""

    plan: DayPlanRow
    basis: Basis
    cases: Mapping[UUID, CaseloadRow]
    members: Mapping[UUID, list[UUID]]
    standing: dict[UUID, VisitRow]
    elsewhere: Set[UUID]
    agencies: Mapping[str | None, Agency]
    new: list[tuple[VisitRow, Position]] = field(default_factory=list)
    refused: list[LeftOutRow] = field(default_factory=list)


async def publish(tx: Transaction, plan: DayPlanRow, row: PlanBasisRow, basis: Basis) -> None:
    """SOLVED → PUBLISHED. Raises Conflict where a team has another plan on that day, or the day went on meanwhile."""
    domain.check_status(plan.status, [PlanStatus.SOLVED], to="published")
    team_ids = [UUID(team) for team, names in row.routes.items() if names]
    await teams.lock_teams(tx, team_ids)
    if await teams_taken(tx, plan, team_ids):
        raise Conflict(
            "team-has-a-plan", "A team of this plan has visits of another plan on that day: replan that one instead."
        )
    old = await _superseded(tx, plan)
    standing = await _standing(tx, plan)
    case_ids = {UUID(name) for names in row.routes.values() for name in names} | standing.keys()
    cases = await caseload.lock_all(tx, sorted(case_ids))
    job = _Publication(
        plan=plan,
        basis=basis,
        cases=cases,
        members=await teams.crews_on(tx, team_ids, plan.day),
        standing=standing,
        elsewhere=await _on_other_plans(tx, plan, cases),
        agencies=await caseload.agencies_of(tx, cases.values()),
    )
    stops, decisions = await _settle(tx, job, row)
    for case_id, where in stops.items():
        if case_id in decisions:
            _publish_stop(tx, job, case_id, where, decisions[case_id])
        else:
            visits.carry_over(job.standing.pop(case_id), plan.id, where.place_in_route)
    await visits.store_planned(tx, job.new)
    if job.refused:
        await tx.session.execute(insert(LeftOutRow), [each.model_dump() for each in job.refused])
    forbidden = await _forbidden(tx, plan)
    for visit in job.standing.values():
        await visits.cancel(tx, visit, job.cases[visit.case_id], _why_taken_off(visit, plan, forbidden))
    if old is not None:
        old.status = PlanStatus.SUPERSEDED
        note_revision(tx, old, "superseded", plan.asked_by, domain.Changes())
    plan.status = PlanStatus.PUBLISHED
    sum_up(plan, basis, row.routes)
    plan.left_out = await count_left_out(tx, plan.id)
    note_revision(tx, plan, "published", str(tx.context.actor), domain.Changes())
    event = DayPlanPublished(
        plan_id=plan.id,
        day=plan.day,
        visits=plan.visits,
        teams=plan.teams,
        left_out=plan.left_out,
        metres=plan.metres,
    )
    tx.publish(event, aggregate=plan)


async def publish_if_possible(tx: Transaction, plan: DayPlanRow, row: PlanBasisRow, basis: Basis) -> None:
    """Publish a plan that was just solved. Where that is refused, it stays solved and says why."""
    try:
        await publish(tx, plan, row, basis)
    except Conflict as conflict:
        plan.problem = conflict.detail


async def _superseded(tx: Transaction, plan: DayPlanRow) -> DayPlanRow | None:
    """The plan that this one replaces, locked. Raises Conflict where it is no longer the one that stands."""
    if plan.replaces is None:
        return None
    old = await tx.session.get(DayPlanRow, plan.replaces, with_for_update=True)
    if old is None or old.status != PlanStatus.PUBLISHED:
        raise Conflict("plan-changed-meanwhile", "The plan that this one replaces was changed meanwhile: ask again.")
    return old


async def _standing(tx: Transaction, plan: DayPlanRow) -> dict[UUID, VisitRow]:
    """The open visits of the replaced plan, locked in the order of their ids. Raises Conflict where one has been set
    out for since this plan was solved: it was planned as if that team were free."""
    if plan.replaces is None:
        return {}
    rows = await tx.session.scalars(
        select(VisitRow)
        .where(col(VisitRow.plan_id) == plan.replaces)
        .order_by(col(VisitRow.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    standing = set((plan.happened or {}).get("standing", ()))
    open_visits = {}
    for row in rows:
        if row.status == VisitStatus.PLANNED:
            open_visits[row.case_id] = row
        elif str(row.id) in standing and row.status not in (VisitStatus.CANCELLED, VisitStatus.MISSED):
            raise Conflict("plan-changed-meanwhile", "A team has set out meanwhile: ask again for a new plan.")
    return open_visits


async def _on_other_plans(tx: Transaction, plan: DayPlanRow, cases: Mapping[UUID, CaseloadRow]) -> set[UUID]:
    """Of these cases, those with an open visit on another plan, and those of whom another case has one that day."""
    persons = {case.person_ref for case in cases.values()} - {None}
    found = await tx.session.execute(
        select(col(CaseloadRow.id), col(CaseloadRow.person_ref), col(VisitRow.day))
        .join(VisitRow, col(VisitRow.case_id) == col(CaseloadRow.id))
        .where(
            or_(col(CaseloadRow.id).in_(cases), col(CaseloadRow.person_ref).in_(persons)),
            col(VisitRow.plan_id).not_in([plan.id, plan.replaces or plan.id]),
            col(VisitRow.status).in_(visit_life.OPEN),
        )
    )
    rows = found.all()
    seen_that_day = {person for _, person, day in rows if person and day == plan.day}
    taken = {case_id for case_id, _, _ in rows}
    return {case.id for case in cases.values() if case.id in taken or case.person_ref in seen_that_day}


def _stops(job: _Publication, routes: Sequence[Route]) -> dict[UUID, PlannedStop]:
    """Where each case stands on the routes."""
    places = {door.id: door.place for door in job.basis.day.doors}
    return {
        UUID(stop.door): PlannedStop(
            UUID(route.team),
            job.members[UUID(route.team)],
            number,
            job.basis.at(stop.start),
            job.basis.at(stop.end),
            job.basis.positions[places[stop.door]],
        )
        for route in routes
        for number, stop in enumerate(route.stops)
    }


async def _settle(
    tx: Transaction, job: _Publication, row: PlanBasisRow
) -> tuple[dict[UUID, PlannedStop], dict[UUID, Decision]]:
    """The stops that may stand, and the gate's decisions on those that are new or moved; who keeps team and time was
    told already. What is refused goes off its route, which may move the stops behind it: those are judged anew, until
    all that is left may stand at its time. Raises Conflict where the routes are not what the day allows."""
    while True:
        hold_to_the_day(job.basis, row.routes)
        stops = _stops(job, job.basis.routes_of(row.routes))
        new = {case_id: where for case_id, where in stops.items() if not _stands(job, case_id, where)}
        acts = [_facts(job, job.cases[case_id], where) for case_id, where in new.items()]
        decisions = dict(zip(new, await gate.judge_all(tx, Step.PLAN, acts), strict=True))
        reasons = {case_id: _why_not(job, where, case_id, decisions[case_id]) for case_id, where in new.items()}
        refused = {case_id: reason for case_id, reason in reasons.items() if reason}
        if not refused:
            return stops, decisions
        for case_id, reason in refused.items():
            _refuse(tx, job, case_id, reason, decisions[case_id])
        row.routes = {team: [name for name in names if UUID(name) not in refused] for team, names in row.routes.items()}


def _facts(job: _Publication, case: CaseloadRow, where: PlannedStop) -> Facts:
    known = facts_of(case, where.start, job.agencies.get(case.lender_id))
    return known.model_copy(update={"ends_at": where.end})


def _stands(job: _Publication, case_id: UUID, where: PlannedStop) -> bool:
    visit = job.standing.get(case_id)
    return visit is not None and (visit.team_id, visit.window_start) == (where.team_id, where.start)


def _refuse(tx: Transaction, job: _Publication, case_id: UUID, reason: Reason, decision: Decision) -> None:
    """Leave a case out, with the stored decision where a rule forbade it. Its standing visit is cancelled later."""
    visit, judged = job.standing.get(case_id), None
    if decision.verdict is Verdict.BLOCK:
        judged = gate.store(tx, job.cases[case_id], decision, visit_id=visit.id if visit else None)
    job.refused.append(
        LeftOutRow(
            plan_id=job.plan.id,
            case_id=case_id,
            reason=reason,
            rule_id=judged.rules[0] if judged else None,
            decision_id=judged.id if judged else None,
        )
    )


def _publish_stop(tx: Transaction, job: _Publication, case_id: UUID, where: PlannedStop, decision: Decision) -> None:
    """A new visit, or the standing one of that case at its new place, as the gate decided."""
    case, visit = job.cases[case_id], job.standing.pop(case_id, None)
    gate.store(tx, case, decision, visit_id=visit.id if visit else None)
    if visit is None:
        visit = plan_visit(case, where, plan_id=job.plan.id)
        job.new.append((visit, where.position))
    else:
        visits.move(visit, where, job.plan.id)
    visits.publish_planned(tx, visit)


def _why_not(job: _Publication, where: PlannedStop, case_id: UUID, decision: Decision) -> Reason | None:
    """What became true of a case or a team since the plan was solved, and keeps the visit off."""
    case = job.cases[case_id]
    if decision.verdict is Verdict.BLOCK:
        return REASON_BY_RULE.get(decision.deciding[0].rule_id, Reason.RULE)
    if not case.wanted:
        return Reason.NOT_WANTED
    if case.id in job.elsewhere:
        return Reason.OTHER_PLAN
    return None if can_go(where.collector_ids) else Reason.TEAM_OFF


async def _forbidden(tx: Transaction, plan: DayPlanRow) -> set[UUID]:
    """The cases that a rule keeps off the plan."""
    rows = select(col(LeftOutRow.case_id)).where(
        col(LeftOutRow.plan_id) == plan.id, col(LeftOutRow.rule_id).is_not(None)
    )
    return set(await tx.session.scalars(rows))


def _why_taken_off(visit: VisitRow, plan: DayPlanRow, forbidden: Set[UUID]) -> Disposition:
    if visit.case_id in forbidden:
        return Disposition.RULE_BLOCKED
    ill = str(visit.team_id) in (plan.happened or {}).get("ill_team_ids", ())
    return Disposition.COLLECTOR_UNAVAILABLE if ill else Disposition.ROUTE_OVERRUN
