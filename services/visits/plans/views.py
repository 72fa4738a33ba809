"""Puts together what the pages of a plan need: its routes, the teams' names, and for a sheet the dossiers, asked of
cases on behalf of the person who prints it. Nothing is asked while a transaction is open.
"""

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.visits.base import LAWBOOK
from services.visits.caseload import usecases as caseload
from services.visits.people import usecases as people
from services.visits.people.tables import TeamRow
from services.visits.plans import pages, queries, usecases
from services.visits.plans.clients import CasesClient
from services.visits.plans.domain import PlanStatus
from services.visits.plans.schemas import RouteView
from services.visits.plans.tables import DayPlanRow
from services.visits.routing.map import Picture
from services.visits.settings import VisitsSettings
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.law import RulePack
from shared.runtime import Runtime
from shared.sealing import Sealer

LEFT_OUT_SHOWN_MAX = 500


async def picture(runtime: Runtime, plan_id: UUID, actor: Actor) -> Picture:
    """What the map shows. Cases is asked for the positions again, for whoever looks, so that this reading stands in the
    trail, too. Raises NotFound, Conflict while the plan is not solved, Unavailable while cases does not answer."""
    async with runtime.database.reading() as tx:
        plan = await queries.get_row(tx, plan_id)
        row, basis = await usecases.load_basis(tx, plan_id, runtime.master)
        names = {team.id: team.name for team in await tx.session.scalars(select(TeamRow))}
        left_out = await queries.list_left_out(tx, plan_id, after=None, limit=LEFT_OUT_SHOWN_MAX)
        case_ids = [UUID(door.id) for door in basis.day.doors]
        cases = await caseload.find_all(tx, case_ids[:1])
    await CasesClient(VisitsSettings.of(runtime.settings), runtime.service_token(actor.ref)).positions(case_ids)
    zone = next((ZoneInfo(case.time_zone) for case in cases.values()), ZoneInfo("UTC"))
    return pages.picture_of(f"Day plan {plan.day}", basis, row.routes, names, left_out, zone)


@dataclass(frozen=True, slots=True)
class _Sheet:
    plan: DayPlanRow
    team: str
    zone: ZoneInfo
    route: RouteView
    packs: tuple[RulePack, ...]


async def sheet(runtime: Runtime, plan_id: UUID, team_id: UUID, actor: Actor) -> str:
    """A team's sheet. Raises NotFound for who may not see it, Conflict while the plan is not published."""
    async with runtime.database.reading() as tx:
        found = await _read(tx, plan_id, team_id, actor, runtime.master)
    client = CasesClient(VisitsSettings.of(runtime.settings), runtime.service_token(actor.ref))
    dossiers = await client.dossiers([stop.case_id for stop in found.route.stops])
    lines = [pages.SheetLine(stop, dossiers.get(stop.case_id)) for stop in found.route.stops]
    rest = ""
    if found.route.rest:
        begins, ends = (moment.astimezone(found.zone) for moment in found.route.rest)
        rest = f"{begins:%H:%M}–{ends:%H:%M}"
    return pages.sheet(found.team, found.plan.day, found.zone, lines, found.packs, rest)


async def _read(tx: Transaction, plan_id: UUID, team_id: UUID, actor: Actor, master: Sealer) -> _Sheet:
    plan = await queries.get_row(tx, plan_id)
    team = await tx.session.get(TeamRow, team_id)
    members = (await people.members_of(tx, [team_id])).get(team_id, [])
    if team is None or not (actor.has(Role.SUPERVISOR) or actor.subject in map(str, members)):
        raise NotFound("sheet-not-found", "There is no such sheet here.")
    if plan.status not in (PlanStatus.PUBLISHED, PlanStatus.FROZEN):
        raise Conflict("plan-not-published", "A sheet is printed once the plan is published.")
    row, basis = await usecases.load_basis(tx, plan_id, master)
    route = next((each for each in queries.list_routes(basis, row.routes) if each.team_id == team_id), None)
    if route is None:
        raise NotFound("sheet-not-found", "This team has no visits on this plan.")
    cases = await caseload.find_all(tx, [stop.case_id for stop in route.stops])
    law = await LAWBOOK.law(tx)
    packs = {pack.id: pack for case in cases.values() for pack in law.packs_for(case.jurisdiction, plan.day)}
    zone = ZoneInfo(cases[route.stops[0].case_id].time_zone)
    return _Sheet(plan, team.name, zone, route, tuple(packs.values()))
