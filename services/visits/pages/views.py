"""Puts together what the pages of a plan need: its routes, the teams' names, and for a sheet the dossiers, asked of
cases on behalf of the person who prints it. Nothing is asked while a transaction is open.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.visits.base import LAWBOOK
from services.visits.candidates.clients import CasesClient
from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.pages import drawing
from services.visits.people import teams
from services.visits.people.tables import TeamRow
from services.visits.plans import domain, queries, usecases
from services.visits.plans.domain import PlanStatus
from services.visits.plans.schemas import StopView
from services.visits.plans.tables import DayPlanRow
from services.visits.routing.map import Picture
from services.visits.settings import VisitsSettings
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.law import RulePack
from shared.runtime import Runtime

LEFT_OUT_SHOWN_MAX = 500


async def picture(runtime: Runtime, plan_id: UUID, actor: Actor) -> Picture:
    """What the map shows. Cases is asked for the positions again, for whoever looks, so that this reading stands in the
    trail, too. Raises NotFound, Conflict while the plan is not solved, Gone once its basis was deleted, Unavailable
    while cases does not answer."""
    async with runtime.database.reading() as tx:  # all lenders: a plan has cases of several
        plan = await queries.get_row(tx, plan_id)
        row, basis = await usecases.load_basis(tx, plan)
        names = {team.id: team.name for team in await tx.session.scalars(select(TeamRow))}
        left_out = await queries.list_left_out(tx, plan_id, after=None, limit=LEFT_OUT_SHOWN_MAX)
        case_ids = [UUID(door.id) for door in basis.day.doors]
        cases = await caseload.find_all(tx, case_ids[:1])
        tx.now = await runtime.clock.now(tx)
        held = await queries.held_on(tx, plan_id, row.routes)
    await CasesClient(VisitsSettings.of(runtime.settings), runtime.service_token(actor.ref)).positions(case_ids)
    zone = next((ZoneInfo(case.time_zone) for case in cases.values()), ZoneInfo("UTC"))
    return drawing.picture_of(f"Day plan {plan.day}", basis, row.routes, names, left_out, zone, held)


@dataclass(frozen=True, slots=True)
class _Sheet:
    plan: DayPlanRow
    team: str
    zone: ZoneInfo
    stops: list[StopView]
    rest: tuple[datetime, datetime] | None
    hidden: int
    packs: tuple[RulePack, ...]


async def sheet(runtime: Runtime, plan_id: UUID, team_id: UUID, actor: Actor) -> str:
    """A team's sheet: its open visits. Of those that a hold stops it shows the time alone, and no dossier is read.
    Raises NotFound for who may not see it now, Conflict while the plan is not published."""
    async with runtime.database.reading() as tx:  # all lenders: a plan has cases of several
        tx.now = await runtime.clock.now(tx)
        found = await _read(tx, plan_id, team_id, actor)
    client = CasesClient(VisitsSettings.of(runtime.settings), runtime.service_token(actor.ref))
    dossiers = await client.dossiers([stop.case_id for stop in found.stops if not stop.held])
    lines = [drawing.SheetLine(stop, dossiers.get(stop.case_id)) for stop in found.stops]
    rest = ""
    if found.rest:
        begins, ends = (moment.astimezone(found.zone) for moment in found.rest)
        rest = f"{begins:%H:%M}–{ends:%H:%M}"
    return drawing.sheet(found.team, found.plan.day, found.zone, lines, found.packs, rest, found.hidden)


async def _read(tx: Transaction, plan_id: UUID, team_id: UUID, actor: Actor) -> _Sheet:
    plan = await queries.get_row(tx, plan_id)
    team = await tx.session.get(TeamRow, team_id)
    members = (await teams.crews_on(tx, [team_id], plan.day)).get(team_id, [])
    supervises = actor.has(Role.SUPERVISOR)
    if team is None or not (supervises or actor.subject in map(str, members)):
        raise _no_sheet()
    if plan.status not in (PlanStatus.PUBLISHED, PlanStatus.FROZEN):
        if not supervises:
            raise _no_sheet()
        raise Conflict("plan-not-published", "A sheet is printed once the plan is published.")
    if plan.basis_deleted_at is not None:
        raise _no_sheet()
    row, basis = await usecases.load_basis(tx, plan)
    held = await queries.held_on(tx, plan_id, {str(team_id): row.routes.get(str(team_id), [])})
    route = next((each for each in queries.list_routes(basis, row.routes, held) if each.team_id == team_id), None)
    if route is None:
        raise NotFound("sheet-not-found", "This team has no visits on this plan.")
    cases = await caseload.find_all(tx, [stop.case_id for stop in route.stops])
    zone = cases[route.stops[0].case_id].time_zone
    if not domain.may_print(plan.day, tx.now, zone, supervises=supervises):
        raise _no_sheet()
    law = await LAWBOOK.law(tx)
    visits = await queries.open_visits_of(tx, plan_id, team_id)
    stops = [stop for stop in route.stops if stop.case_id in visits]
    acts = [facts_of(case, tx.now, None) for case in cases.values()]
    packs = {pack.id: pack for facts in acts for pack in law.packs_on(facts, plan.day)}
    hidden = len(route.stops) - len(stops)
    return _Sheet(plan, team.name, ZoneInfo(zone), stops, route.rest, hidden, tuple(packs.values()))


def _no_sheet() -> NotFound:
    return NotFound(
        "sheet-not-found",
        "There is no such sheet here now. A team gets it on its day and the evening before, a supervisor until the day"
        " is over.",
    )
