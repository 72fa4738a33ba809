"""Why a door is not on the plan. No solver says so: what cannot be is found before it, what was not worth it after.
Each reason has a code, figures in seconds, and a sentence in English and Chinese.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.visits.routing.day import Day, Door, Plan, Team
from services.visits.routing.insertion import cheapest, detour_at
from services.visits.routing.timetable import is_possible, sequences


class Reason(StrEnum):
    """Why not. What is about law, people and addresses is found by who builds the day, what is about the day here."""

    RULE = "blocked-by-rule"
    HELD = "held"
    ADDRESS_UNVERIFIED = "address-not-verified"
    HAZARD = "hazard-without-safety-plan"
    NO_POSITION = "no-position"
    NO_TEAM = "no-team-with-the-skill"
    NO_WINDOW = "no-lawful-window"
    TOO_HEAVY = "load-too-great"
    NO_REST = "no-room-for-the-rest"
    TOO_FAR = "too-far"
    NOT_WORTH = "not-worth-the-travel"
    CAP_REACHED = "cap-reached"
    DAY_FULL = "day-full"
    PROMISED_TIME = "promised-time-not-possible"
    BY_HAND = "taken-off-by-hand"
    NO_SHOW = "debtor-not-there"
    LESS_WORTH = "others-are-worth-more"
    NOT_WANTED = "not-wanted"
    SAME_PERSON = "same-person"
    OTHER_PLAN = "on-another-plan"
    UNDER_WAY = "visit-under-way"
    NOT_YET = "wanted-from-a-later-day"
    TEAM_OFF = "team-not-complete"
    EARLIER = "of-an-earlier-version"

    @classmethod
    def _missing_(cls, value: object) -> "Reason":
        """A code that an earlier version stored is not lost: it stands beside a sentence that says so."""
        return cls.EARLIER


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A door that nobody goes to, and why. `prize` and `detour` are seconds, where they tell something."""

    door: str
    reason: Reason
    prize: int | None = None
    detour: int | None = None

    def sentence(self, language: str) -> str:
        """In words: "en" or "zh"."""
        must_be_made = self.reason is Reason.DAY_FULL and self.prize is None
        sentences = _FULL_FOR_REQUIRED if must_be_made else _SENTENCES[self.reason]
        return sentences["zh" if language == "zh" else "en"].format(
            prize=_minutes(self.prize), detour=_minutes(self.detour)
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with the reason for each door that it leaves out."""

    plan: Plan
    left_out: tuple[LeftOut, ...]


_SENTENCES: dict[Reason, Mapping[str, str]] = {
    Reason.RULE: {
        "en": "A rule of law or of the house forbids a visit on this day.",
        "zh": "法令或內部規範於當日禁止外訪。",
    },
    Reason.HELD: {"en": "A recorded hold stops visits until it is released.", "zh": "已登錄暫停事由，解除前不得外訪。"},
    Reason.ADDRESS_UNVERIFIED: {"en": "The address is not verified yet.", "zh": "地址尚未查證。"},
    Reason.HAZARD: {
        "en": "The address lies in a hazard zone, and no supervisor has made a safety plan.",
        "zh": "地址位於危險區域，且無主管核定之安全計畫。",
    },
    Reason.NO_POSITION: {"en": "No usable position of the address is known.", "zh": "地址無可用之座標。"},
    Reason.NO_TEAM: {
        "en": "No team of this day has the skill or certificate that the visit needs.",
        "zh": "當日無具備所需技能或證照之小組。",
    },
    Reason.NO_WINDOW: {
        "en": "There is no time on this day, long enough for the visit, that is lawful, suits the debtor and lies in a"
        " shift.",
        "zh": "當日無足供此訪、同時合法、符合債務人約定且在班次內之時段。",
    },
    Reason.TOO_HEAVY: {
        "en": "The visit's load is more than any team can carry.",
        "zh": "此訪之載量超過任何小組之容量。",
    },
    Reason.NO_REST: {
        "en": "A team could make the visit on this day, but its rest would have no room within its own times.",
        "zh": "小組當日可訪，惟於規定時段內無法安排休息。",
    },
    Reason.TOO_FAR: {
        "en": "Even with no other visit, no team could be there within its windows and be back within the shift.",
        "zh": "即使僅訪此一處，任何小組均無法於可訪時段內抵達並於班次內返回。",
    },
    Reason.NOT_WORTH: {
        "en": "The visit is worth {prize} minutes of travel and would cost {detour}.",
        "zh": "此訪價值相當於 {prize} 分鐘車程，所需繞行為 {detour} 分鐘。",
    },
    Reason.CAP_REACHED: {
        "en": "Every team that could take it has as many visits as it may make.",
        "zh": "可前往之小組均已達當日訪次上限。",
    },
    Reason.PROMISED_TIME: {
        "en": "No team can be there any more at the time that was promised: call the debtor and agree on another one.",
        "zh": "已無小組能於約定時間抵達：請致電債務人另約時間。",
    },
    Reason.NO_SHOW: {"en": "The debtor is not there on this day.", "zh": "債務人當日不在。"},
    Reason.LESS_WORTH: {
        "en": "More visits are wanted than teams can make: those worth more than this ({prize} minutes) came first.",
        "zh": "待訪案件多於小組可訪次數：已優先規劃價值較高者（此訪：{prize} 分鐘）。",
    },
    Reason.NOT_WANTED: {"en": "Nobody wants this visit any more.", "zh": "此訪已無需要。"},
    Reason.SAME_PERSON: {
        "en": "A person is visited once a day: another case of the same person came first.",
        "zh": "同一人一日僅訪一次：已優先規劃其另案。",
    },
    Reason.OTHER_PLAN: {
        "en": "Another plan already holds a visit of this case, or of this person on this day.",
        "zh": "另一行程已排定本案或同一人當日之外訪。",
    },
    Reason.UNDER_WAY: {
        "en": "A team was sent to this case already, and its visit is not over.",
        "zh": "本案已派遣小組，該次外訪尚未結束。",
    },
    Reason.NOT_YET: {
        "en": "The next visit of this case is wanted from a later day on.",
        "zh": "本案之下次外訪自較後之日起始得進行。",
    },
    Reason.TEAM_OFF: {
        "en": "Its team has fewer than two collectors who may be sent: a member is suspended or has left.",
        "zh": "小組可派遣之外訪員不足二人：有成員停派或離職。",
    },
    Reason.EARLIER: {
        "en": "An earlier version of the planner left it out; the code says why.",
        "zh": "由舊版規劃程式排除，原因見代碼。",
    },
    Reason.BY_HAND: {"en": "A supervisor took it off the plan.", "zh": "由主管自行程移除。"},
    Reason.DAY_FULL: {
        "en": "The teams' day is full with visits that weigh more (this one: {prize} minutes).",
        "zh": "各小組當日行程已滿，且所排訪次價值較高（此訪：{prize} 分鐘）。",
    },
}
_FULL_FOR_REQUIRED = {
    "en": "The visit must be made, but no team has the time, the number of visits or the load left for it.",
    "zh": "此訪必須執行，惟各小組之時間、訪次或載量均已無餘裕。",
}


def _minutes(seconds: int | None) -> str:
    return "?" if seconds is None else str(round(seconds / 60))


def impossible(day: Day) -> dict[str, LeftOut]:
    """Doors that no plan of this day can hold, with the reason; the others go to the solver."""
    found, near = {}, replace(day, travel=[[0] * len(day.travel)] * len(day.travel))
    for door in day.doors:
        reason = _why_impossible(day, near, door)
        if reason is not None:
            found[door.id] = LeftOut(door.id, reason, prize=door.prize)
    return found


def _why_impossible(day: Day, near: Day, door: Door) -> Reason | None:
    """`near`: the same day in a world without ways, which tells what is too late from what is too far."""
    teams = [team for team in day.teams if door.open_to(team)]
    if not teams:
        return Reason.NO_TEAM
    teams = [team for team in teams if team.visits_max != 0]
    if not teams:
        return Reason.CAP_REACHED
    teams = [team for team in teams if team.capacity is None or door.demand <= team.capacity]
    if not teams:
        return Reason.TOO_HEAVY
    if any(is_possible(day, team, [door]) for team in teams):
        return None
    if any(is_possible(day, without_rest(team), [door]) for team in teams):
        return Reason.NO_REST
    if any(is_possible(near, without_rest(team), [door]) for team in teams):
        return Reason.TOO_FAR
    return Reason.NO_WINDOW


def without_rest(team: Team) -> Team:
    """The same team, were it not to rest."""
    return replace(team, rest=None)


def without(day: Day, left_out: Mapping[str, LeftOut]) -> Day:
    """The day of the other doors."""
    return replace(day, doors=tuple(door for door in day.doors if door.id not in left_out))


def explained(day: Day, plan: Plan, before: Mapping[str, LeftOut]) -> Planned:
    """The plan of the possible doors, made whole: with those found impossible before, and a reason for each."""
    doors = {door.id: door for door in day.doors}
    routes = sequences(day, {route.team: [stop.door for stop in route.stops] for route in plan.routes})
    missed = sorted({*plan.left_out, *before})
    whole = replace(
        plan, left_out=tuple(missed), prizes_lost=plan.prizes_lost + sum(doors[each].prize for each in before)
    )
    return Planned(whole, tuple(before.get(each) or _why_not_chosen(day, routes, doors[each]) for each in missed))


def _why_not_chosen(day: Day, routes: dict[str, list[Door]], door: Door) -> LeftOut:
    able = [team for team in day.teams if door.open_to(team)]
    if all(team.visits_max is not None and len(routes[team.id]) >= team.visits_max for team in able):
        return LeftOut(door.id, Reason.CAP_REACHED, prize=door.prize)
    if door.required:
        return LeftOut(door.id, Reason.DAY_FULL)
    place = cheapest(day, routes, door)
    if place is not None:
        return LeftOut(door.id, Reason.NOT_WORTH, prize=door.prize, detour=place.detour)
    detour = _detour_alone(day, able, routes, door)
    if detour is not None and detour >= door.prize:
        return LeftOut(door.id, Reason.NOT_WORTH, prize=door.prize, detour=detour)
    return LeftOut(door.id, Reason.DAY_FULL, prize=door.prize)


def _detour_alone(day: Day, teams: Sequence[Team], routes: dict[str, list[Door]], door: Door) -> int | None:
    """The least detour at which it would lie on a team's way, were there time for it."""
    detours = [
        detour_at(day, team, routes[team.id], at, door) for team in teams for at in range(len(routes[team.id]) + 1)
    ]
    return min(detours, default=None)
