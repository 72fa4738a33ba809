"""A plan to look at: the map for the supervisor, and a sheet for each team to print, in Chinese and English. The map
shows where debtors live and names nobody; a sheet holds what cases gives out for the person who asks, read by read.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.visits.distance import Position
from services.visits.plans.plan_basis import Basis, Routes
from services.visits.plans.schemas import LeftOutView, StopView
from services.visits.routing.day import Stop
from services.visits.routing.map import Line, Picture, Pin
from shared.law import RulePack, Step

_pages = Environment(
    loader=PackageLoader("services.visits.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
HELD = "暫停外訪 · On hold: do not go"
STEPS_AT_THE_DOOR = (Step.CHECK_IN, Step.COMPLETION)
KINDS_TO_CARRY = ("documents-carried", "required-fact")


def picture_of(
    title: str,
    basis: Basis,
    routes: Routes,
    names: Mapping[UUID, str],
    left_out: Sequence[LeftOutView],
    zone: ZoneInfo,
    held: Collection[UUID],
) -> Picture:
    """Routes on a map; a pin says when, by our own id whom, and whether the visit is held."""
    place = {door.id: basis.positions[door.place] for door in basis.day.doors}
    teams = {team.id: team for team in basis.day.teams}
    lines = []
    for route in basis.routes_of(routes):
        pins = tuple(
            _pin(place[stop.door], stop, basis.at(stop.start).astimezone(zone), held=UUID(stop.door) in held)
            for stop in route.stops
        )
        start, end = basis.positions[teams[route.team].start], basis.positions[teams[route.team].end]
        name = names.get(UUID(route.team), route.team)
        lines.append(Line(name, start, pins, end, f"· {len(pins)}"))
    outside = [(each, place.get(str(each.case_id))) for each in left_out]
    return Picture(title, tuple(lines), tuple(_left_out(each, where) for each, where in outside if where))


def _pin(where: Position, stop: Stop, start: datetime, *, held: bool) -> Pin:
    return Pin(where, stop.door[-8:], f"{start:%H:%M}{f' · {HELD}' if held else ''}", held)


def _left_out(each: LeftOutView, where: Position) -> Pin:
    return Pin(where, str(each.case_id)[-8:], f"{each.en} {each.zh}")


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One door on a team's sheet: the stop, and the dossier as cases gave it out (None: it did not)."""

    stop: StopView
    dossier: Mapping[str, Any] | None


def sheet(
    team: str, day: date, zone: ZoneInfo, lines: Sequence[SheetLine], packs: Sequence[RulePack], rest: str, hidden: int
) -> str:
    """A team's day to print; `hidden`: how many visits of the route are done or given up."""
    rows = [
        {
            "number": line.stop.position + 1,
            "start": line.stop.start.astimezone(zone),
            "end": line.stop.end.astimezone(zone),
            "windows": [(opens.astimezone(zone), closes.astimezone(zone)) for opens, closes in line.stop.windows],
            "case": str(line.stop.case_id)[-8:],
            "dossier": line.dossier,
            "held": HELD if line.stop.held else "",
        }
        for line in lines
    ]
    return _pages.get_template("sheet.html").render(
        team=team, day=day, rows=rows, carry=what_to_carry(packs), rest=rest, hidden=hidden
    )


def what_to_carry(packs: Sequence[RulePack]) -> list[tuple[str, str, str]]:
    """What the law wants at the door, as (zh, en, source): each rule about papers and proofs, once."""
    rules = {
        rule.id: (rule.says.zh, rule.says.en, rule.source)
        for pack in packs
        for step in STEPS_AT_THE_DOOR
        for rule in pack.judged_at(step)
        if rule.kind in KINDS_TO_CARRY
    }
    return list(rules.values())
