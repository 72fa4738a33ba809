"""What forbids a route that was changed by hand: the cap, the load, the window of a visit, the rest, or the shift."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.visits.routing.day import Day, Door, Team
from services.visits.routing.reasons import without_rest
from services.visits.routing.timetable import is_possible, late_at, route_of

NEVER = 10**9
"""Later than any shift ends, in seconds."""


class Bar(StrEnum):
    """The kind of rule that a route breaks."""

    TEAM = "team"
    CAP = "cap"
    LOAD = "load"
    WINDOW = "window"
    REST = "rest"
    SHIFT = "shift"


@dataclass(frozen=True, slots=True)
class Broken:
    """The rule that a route breaks. `door`: whose window it is; `at`: when the team would be there or back; `until`:
    the end of the window, rest or shift; `most`: the cap. Times are seconds of the day."""

    rule: Bar
    words: str
    door: Door | None = None
    at: int | None = None
    until: int | None = None
    most: int | None = None


def why_impossible(day: Day, team: Team, doors: Sequence[Door]) -> Broken | None:
    """What forbids the team this sequence of doors; None where nothing does. The first rule that is broken counts, in
    the order: team, cap, load, window, shift, rest."""
    if is_possible(day, team, doors):
        return None
    if not all(door.open_to(team) for door in doors):
        return Broken(Bar.TEAM, "The team may not make one of these visits: a skill, a certificate or a promise.")
    if team.visits_max is not None and len(doors) > team.visits_max:
        return Broken(
            Bar.CAP, f"The team would have {len(doors)} visits; its cap is {team.visits_max}.", most=team.visits_max
        )
    if team.capacity is not None and sum(door.demand for door in doors) > team.capacity:
        return Broken(Bar.LOAD, "The team would carry more than it can.", most=team.capacity)
    return _late(day, without_rest(team), doors) or _without_room_to_rest(team)


def _late(day: Day, team: Team, doors: Sequence[Door]) -> Broken | None:
    """The window or the shift that the team misses even without a rest."""
    late = late_at(day, team, doors)
    if late is not None:
        door, arrival = late
        closes = max((closes for _, closes in door.windows), default=None)
        words = "The team would come to a visit after its last window has closed."
        if closes is None:
            words = "A visit has no window on this day."
        return Broken(Bar.WINDOW, words, door=door, at=arrival, until=closes)
    endless = route_of(day, replace(team, shift=(team.shift[0], NEVER)), doors)
    if endless is not None and endless.back > team.shift[1]:
        return Broken(
            Bar.SHIFT, "The team would be back after the end of its shift.", at=endless.back, until=team.shift[1]
        )
    return None


def _without_room_to_rest(team: Team) -> Broken:
    until = team.rest.latest if team.rest is not None else None
    return Broken(Bar.REST, "The team's rest would have no room within its own times.", until=until)
