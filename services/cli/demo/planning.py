"""The day's plan in the demo, and what becomes of it on the day on which a team falls ill. Plans are searched for by
iterations from a fixed seed, so that the same feed gives the same days.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.cli.demo import acts
from services.cli.demo.actors import Cast

ITERATIONS = 1_000
ITERATIONS_AGAIN = 300


@dataclass(frozen=True, slots=True)
class Illness:
    """A team that fell ill: its visits, by case, what changed, and what was left out for it, by reason, with how often
    and one of the sentences."""

    day: str
    team_id: str
    visits: frozenset[str]
    changes: dict[str, Any]
    left_out: dict[str, tuple[int, str]]

    def to_json(self) -> dict[str, Any]:
        return {
            "day": self.day,
            "visits_of_the_team": len(self.visits),
            "other_team": len(self.changes["other_team"]),
            "of_the_others": len(set(self.changes["other_team"]) - self.visits),
            "taken_off": len(self.changes["removed"]),
            "added": len(self.changes["added"]),
            "en": self.changes["en"],
            "zh": self.changes["zh"],
            "left_out": {reason: {"count": count, "en": words} for reason, (count, words) in self.left_out.items()},
        }


async def plan_day(cast: Cast, day: date) -> dict[str, Any]:
    """Ask for a plan of the day and wait until it is published."""
    wish = {"day": str(day), "iterations": ITERATIONS, "seed": 1}
    plan: dict[str, Any] = await cast.supervisor.does(acts.plan_day(wish, key=f"plan-{day}"))
    return plan


async def a_team_falls_ill(cast: Cast, plan: dict[str, Any]) -> tuple[dict[str, Any], Illness | None]:
    """The team with the most visits calls in sick: the day is planned anew without it. The new plan, and what changed;
    the old one where nobody goes out or only one team does."""
    routes = await cast.supervisor.every(f"/visits/v1/day-plans/{plan['id']}/routes")
    if len(routes) < 2:
        return plan, None
    ill = max(routes, key=lambda route: (len(route["stops"]), route["team_id"]))
    wish = {"ill_team_ids": [ill["team_id"]], "iterations": ITERATIONS_AGAIN}
    new = await cast.supervisor.does(acts.plan_day(wish, replaces=plan["id"], key=f"replan-{plan['id']}"))
    visits = frozenset(stop["case_id"] for stop in ill["stops"])
    return new, Illness(plan["day"], ill["team_id"], visits, new["changes"], await _reasons(cast, new))


async def _reasons(cast: Cast, plan: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Why the visits that were taken off found no other team."""
    removed = set(plan["changes"]["removed"])
    found: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for each in await cast.supervisor.every(f"/visits/v1/day-plans/{plan['id']}/left-out"):
        if each["case_id"] in removed:
            counts[each["reason"]] += 1
            found.setdefault(each["reason"], each["en"])
    return {reason: (count, found[reason]) for reason, count in sorted(counts.items())}
