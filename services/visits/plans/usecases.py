"""What a supervisor does with day plans: ask for one, look at it, move a visit by hand, publish, freeze, have it made
anew when the day turns out otherwise. Every change is a revision; two planners at once are told of each other.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlmodel import col

from services.visits.base import TABLES
from services.visits.caseload.tables import CaseloadRow
from services.visits.people import teams
from services.visits.people.domain import can_go, check_one_team, off_duty_fields, off_duty_words, on_two_teams
from services.visits.people.tables import TeamRow
from services.visits.plans import domain, queries
from services.visits.plans.domain import PlanStatus
from services.visits.plans.plan_basis import Basis, Routes, open_basis
from services.visits.plans.schemas import DayPlanBody, MoveBody, ReplanBody
from services.visits.plans.tables import DayPlanRow, LeftOutRow, PlanBasisRow, PlanRevisionRow
from services.visits.routing.day import DOORS_MAX
from services.visits.routing.insertion import plan_of
from services.visits.routing.planner import PlannerFailed, check
from services.visits.routing.reasons import Reason
from services.visits.routing.refusals import Broken, why_impossible
from services.visits.routing.timetable import sequences
from services.visits.visit.domain import OPEN
from services.visits.visit.tables import VisitRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Gone, Invalid, NotFound, TooLarge
from shared.events.envelope import ActorRef
from shared.ids import new_id
from shared.jobs import JobEnded, JobStatus

NO_TEAM = "No team has two collectors who may be sent on this day. Reinstate one, or give a team other members."
KIND = "plans"
WANTED_MAX = 10_000
"""Each wanted case is judged, which takes about a millisecond: more of them are refused before any is."""


async def request_plan(tx: Transaction, body: DayPlanBody, *, actor: Actor) -> DayPlanRow:
    """Note the request; the worker makes the plan. Raises NotFound for a team or a case, Invalid where there is no
    team, TooLarge where more cases are wanted than one plan can look at."""
    domain.check_day(body.day, tx.now)
    known = (await tx.session.scalars(select(col(TeamRow.id)).order_by(col(TeamRow.id)))).all()
    team_ids = known if body.team_ids is None else sorted(set(body.team_ids))
    named = {*team_ids, *(each.team_id for each in body.teams)}
    if not named <= set(known):
        raise NotFound("team-not-found", "A team of `team_ids` or `teams` does not exist.")
    if not team_ids:
        raise Invalid("no-teams", "There is no team to plan for: form one first (POST /visits/v1/teams).")
    going = await teams_that_go(tx, team_ids, body.day)
    await check_complete(tx, sorted({*(body.team_ids or ()), *(each.team_id for each in body.teams)}), body.day)
    if not going:
        raise Invalid("no-teams", NO_TEAM)
    team_ids = going
    await _known_cases(tx, [*(body.case_ids or ()), *body.priority_case_ids])
    if body.case_ids is None and await queries.are_more_wanted(tx, body.day, than=WANTED_MAX):
        raise TooLarge(
            "too-many-cases",
            f"More than {WANTED_MAX:,} cases are wanted by that day, too many for one plan. Split the area: ask for a "
            f"plan for each part, with the cases of that part in `case_ids` (at most {DOORS_MAX:,}) and teams of its "
            "own in `team_ids`.",
            cases_max=WANTED_MAX,
            case_ids_max=DOORS_MAX,
        )
    return await _ask(tx, body.model_copy(update={"team_ids": list(team_ids)}), actor=actor)


async def teams_that_go(tx: Transaction, team_ids: Sequence[UUID], day: date) -> list[UUID]:
    """Of these teams, those that have two collectors who may be sent on a day. Raises Conflict where a collector is on
    two of them, as earlier releases allowed."""
    crews = await teams.crews_on(tx, team_ids, day)
    going = [team_id for team_id in team_ids if can_go(crews.get(team_id, ()))]
    check_one_team(on_two_teams({team_id: crews[team_id] for team_id in going}, day))
    return going


async def check_complete(tx: Transaction, team_ids: Sequence[UUID], day: date) -> None:
    """Raises Conflict where one of these teams has fewer than two collectors who may be sent on a day."""
    lacking = sorted(set(team_ids) - set(await teams_that_go(tx, team_ids, day)))
    if lacking:
        members = await teams.members_on(tx, lacking, day)
        off = await teams.off_duty(tx, [each for team in members.values() for each in team], tx.now)
        words = f"{off_duty_words(off)} " if off else ""
        raise Conflict(
            "team-not-complete",
            f"{words}A team of `team_ids` has fewer than two who may be sent on {day}: give it other "
            "members (POST /visits/v1/teams/{id}/members), reinstate the collector, or leave the team out.",
            team_ids=list(map(str, lacking)),
            **off_duty_fields(off),
        )


async def _known_cases(tx: Transaction, case_ids: Sequence[UUID]) -> None:
    found = await tx.session.scalars(select(col(CaseloadRow.id)).where(col(CaseloadRow.id).in_(case_ids)))
    missing = sorted(set(case_ids) - set(found))
    if missing:
        raise NotFound("case-not-found", "There is no such case here.", case_id=str(missing[0]))


async def _ask(
    tx: Transaction,
    body: DayPlanBody,
    *,
    actor: Actor,
    old: DayPlanRow | None = None,
    happened: ReplanBody | None = None,
) -> DayPlanRow:
    row = DayPlanRow(
        id=new_id(),
        day=body.day,
        status=PlanStatus.DRAFT,
        request=body.model_dump(mode="json"),
        asked_by=str(actor.ref),
        asked_at=tx.now,
        replaces=old.id if old else None,
        happened=happened.model_dump(mode="json") if happened else None,
        left_out={},
        version=0,
    )
    tx.session.add(row)
    await TABLES.jobs.ask(tx, KIND, row.id)
    return row


async def lock(tx: Transaction, plan_id: UUID) -> DayPlanRow:
    """The plan, locked. Raises NotFound."""
    row = await tx.session.get(DayPlanRow, plan_id, with_for_update=True)
    if row is None:
        raise NotFound("plan-not-found", "There is no such plan here.")
    return row


async def replan(tx: Transaction, old: DayPlanRow, body: ReplanBody, *, actor: Actor) -> DayPlanRow:
    """Ask for a plan that replaces a published one. Raises Conflict for one in another state or replaced already."""
    domain.check_status(old.status, [PlanStatus.PUBLISHED], to="planned anew")
    domain.check_day(old.day, tx.now)
    others = await tx.session.scalars(
        select(DayPlanRow).where(
            col(DayPlanRow.replaces) == old.id, col(DayPlanRow.status).in_([PlanStatus.DRAFT, PlanStatus.SOLVED])
        )
    )
    if others.first() is not None:
        raise Conflict(
            "replan-under-way", "Another new plan of this day is in work already: wait for it, or cancel it."
        )
    request = DayPlanBody.model_validate(old.request)
    known = set(request.team_ids or [])
    named = {*body.ill_team_ids, *(late.team_id for late in body.late)}
    if not named <= known:
        raise NotFound("team-not-found", "One of these teams is not on this plan.")
    going = await teams_that_go(tx, sorted(known - set(body.ill_team_ids)), old.day)
    if not going:
        raise Invalid("no-teams", "No team would be left that may be sent: cancel the visits instead.")
    await _known_cases(tx, [*body.urgent_case_ids, *body.no_show_case_ids])
    gone = {*(old.happened or {}).get("no_show_case_ids", ()), *map(str, body.no_show_case_ids)}
    gone -= set(map(str, body.urgent_case_ids))
    happened = body.model_copy(update={"no_show_case_ids": sorted(map(UUID, gone))})
    urgent = [*request.priority_case_ids, *body.urgent_case_ids]
    again = request.model_copy(
        update={
            "team_ids": going,
            "teams": [each for each in request.teams if each.team_id in going],
            "priority_case_ids": urgent,
            "seconds": body.seconds,
            "iterations": body.iterations,
            "publish": body.publish,
        }
    )
    return await _ask(tx, again, actor=actor, old=old, happened=happened)


async def load_basis(tx: Transaction, plan: DayPlanRow) -> tuple[PlanBasisRow, Basis]:
    """What a solved plan was made from. Raises Conflict while it is not solved, Gone once it was deleted."""
    row = await tx.session.get(PlanBasisRow, plan.id)
    if row is None and plan.basis_deleted_at is not None:
        raise Gone(
            "plan-basis-deleted",
            f"The places, travel times and routes of a plan are deleted {domain.BASIS_KEPT_DAYS} days after its day. "
            "Its visits stay: GET /visits/v1/visits?plan_id=…",
        )
    if row is None:
        raise Conflict("plan-not-solved", "This plan has no routes: it is not solved yet, or it never was.")
    return row, await open_basis(tx, row)


async def move(tx: Transaction, plan: DayPlanRow, body: MoveBody, *, actor: Actor) -> domain.Changes:
    """Move a visit of a solved plan by hand. The check is the planner's own: Conflict names what forbids it."""
    domain.check_status(plan.status, [PlanStatus.SOLVED], to="changed by hand")
    row, basis = await load_basis(tx, plan)
    routes = _moved(basis, row.routes, body)
    if body.team_id is not None:
        await check_complete(tx, [body.team_id], plan.day)
    before, after = basis.assignments(row.routes), basis.assignments(routes)
    changes = domain.changes_between(before, after)
    row.routes = routes
    await _note_left_out(tx, plan, body, basis)
    note_revision(tx, plan, "moved", str(actor.ref), changes)
    sum_up(plan, basis, routes)
    return changes


def _moved(basis: Basis, routes: Routes, body: MoveBody) -> Routes:
    """The routes after a move. Raises NotFound or Conflict."""
    case = str(body.case_id)
    door = next((door for door in basis.day.doors if door.id == case), None)
    if door is None:
        raise NotFound("case-not-on-plan", "This case was not among those that could be planned on that day.")
    new = {team: [name for name in names if name != case] for team, names in routes.items()}
    if body.team_id is None:
        return new
    team = next((team for team in basis.day.teams if team.id == str(body.team_id)), None)
    if team is None:
        raise NotFound("team-not-found", "This team is not on the plan.")
    names = new.setdefault(team.id, [])
    names.insert(min(body.position, len(names)), case)
    doors = sequences(basis.day, {team.id: tuple(names)})[team.id]
    if not door.open_to(team):
        raise Conflict(
            "move-not-allowed",
            "This team may not make that visit: a skill, a certificate or a promise. Name another team.",
            rule="team",
        )
    broken = why_impossible(basis.day, team, doors)
    if broken is not None:
        raise _refused_move(basis, broken)
    return new


def _refused_move(basis: Basis, broken: Broken) -> Conflict:
    """What forbids a move: the window of which case, the rest, the cap or the end of the shift."""
    fields: dict[str, object] = {"rule": broken.rule}
    if broken.door is not None:
        fields["case_id"] = broken.door.id
        opened = [(basis.at(opens), basis.at(closes)) for opens, closes in broken.door.windows]
        fields["start_windows"] = [[opens.isoformat(), closes.isoformat()] for opens, closes in opened]
    if broken.at is not None:
        fields["at"] = basis.at(broken.at).isoformat()
    if broken.until is not None:
        fields["until"] = basis.at(broken.until).isoformat()
    if broken.most is not None:
        fields["at_most"] = broken.most
    return Conflict("move-not-possible", f"{broken.words} Try another position or team.", **fields)


def hold_to_the_day(basis: Basis, routes: Routes) -> None:
    """What is shown and published was checked as it is, whoever made it. Raises Conflict with what is wrong."""
    try:
        check(basis.day, plan_of(basis.day, sequences(basis.day, routes), "by hand"))
    except (PlannerFailed, ValueError) as wrong:
        raise Conflict("plan-does-not-stand", f"{wrong} Ask for a new plan of this day.") from wrong


async def _note_left_out(tx: Transaction, plan: DayPlanRow, body: MoveBody, basis: Basis) -> None:
    """What was taken off by hand is left out by hand; what was put on is left out no more."""
    await tx.session.execute(
        delete(LeftOutRow).where(col(LeftOutRow.plan_id) == plan.id, col(LeftOutRow.case_id) == body.case_id)
    )
    if body.team_id is None:
        prize = next(door.prize for door in basis.day.doors if door.id == str(body.case_id))
        row = {"plan_id": plan.id, "case_id": body.case_id, "reason": Reason.BY_HAND, "prize_seconds": prize}
        await tx.session.execute(insert(LeftOutRow), [row])
    plan.left_out = await count_left_out(tx, plan.id)


async def count_left_out(tx: Transaction, plan_id: UUID) -> dict[str, int]:
    """How many cases are left out for each rule or reason."""
    rows = await tx.session.execute(
        select(col(LeftOutRow.rule_id), col(LeftOutRow.reason)).where(col(LeftOutRow.plan_id) == plan_id)
    )
    counts: dict[str, int] = {}
    for rule_id, reason in rows.all():
        counts[rule_id or reason] = counts.get(rule_id or reason, 0) + 1
    return dict(sorted(counts.items()))


def note_revision(tx: Transaction, plan: DayPlanRow, what: str, made_by: str, changes: domain.Changes) -> None:
    plan.revision += 1
    tx.session.add(
        PlanRevisionRow(
            plan_id=plan.id,
            revision=plan.revision,
            what=what,
            made_by=made_by,
            made_at=tx.now,
            changes=changes.to_json(),
        )
    )


def sum_up(plan: DayPlanRow, basis: Basis, routes: Routes) -> None:
    """The figures of a plan, from its routes."""
    made = basis.routes_of(routes)
    planned = {stop.door for route in made for stop in route.stops}
    plan.visits, plan.teams = len(planned), len(made)
    plan.metres = sum(basis.metres_of(route) for route in made)
    lost = sum(door.prize for door in basis.day.doors if door.id not in planned)
    plan.cost = sum(route.travel for route in made) + lost


async def freeze(tx: Transaction, plan: DayPlanRow, *, actor: Actor) -> None:
    """From now on nobody changes the plan; its visits go on."""
    domain.check_status(plan.status, [PlanStatus.PUBLISHED], to="frozen")
    plan.status = PlanStatus.FROZEN
    note_revision(tx, plan, "frozen", str(actor.ref), domain.Changes())


async def lock_with_job(tx: Transaction, plan_id: UUID) -> DayPlanRow:
    """The plan, locked behind its job, as the worker locks them. Raises NotFound."""
    await TABLES.jobs.lock(tx, plan_id)
    return await lock(tx, plan_id)


async def cancel(tx: Transaction, plan: DayPlanRow, *, actor: Actor) -> None:
    """Give up a plan that is being solved, with its job, or that was not published."""
    domain.check_status(plan.status, [PlanStatus.DRAFT, PlanStatus.SOLVED], to="cancelled")
    if plan.status == PlanStatus.DRAFT:
        await TABLES.jobs.cancel(tx, plan.id)
    _cancelled(tx, plan, actor.ref)


def _cancelled(tx: Transaction, plan: DayPlanRow, actor: ActorRef) -> None:
    plan.status = PlanStatus.CANCELLED
    note_revision(tx, plan, "cancelled", str(actor), domain.Changes())


async def give_up(tx: Transaction, ended: JobEnded) -> None:
    """The plan of a job that failed or was cancelled."""
    plan = await lock(tx, ended.id)
    if ended.status is JobStatus.CANCELLED:
        _cancelled(tx, plan, tx.context.actor)
    else:
        plan.status, plan.problem = PlanStatus.FAILED, ended.problem


async def teams_taken(tx: Transaction, plan: DayPlanRow, team_ids: Sequence[UUID]) -> set[UUID]:
    """Of these teams, those that have open visits on that day from a plan which this one does not replace."""
    rows = await tx.session.scalars(
        select(col(VisitRow.team_id)).where(
            col(VisitRow.day) == plan.day,
            col(VisitRow.team_id).in_(team_ids),
            col(VisitRow.plan_id) != (plan.replaces or plan.id),
            col(VisitRow.status).in_(OPEN),
        )
    )
    return set(rows)
