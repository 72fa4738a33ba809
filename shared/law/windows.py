"""When an act is lawful: the windows of a day, the earliest moment, and many cases screened for one day.

A day is cut at every moment at which a verdict can change; each piece is judged once, and the rule that stopped the
piece before is tried first. Only the deciding rule is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.law import calendar
from shared.law.decision import Decision
from shared.law.facts import Facts
from shared.law.gate import evaluate, judge, lifted_by
from shared.law.kinds import Moment
from shared.law.kinds.base import Change
from shared.law.packs import RulePack
from shared.law.places import moment_at, with_offset, zone_name_of
from shared.law.register import Law
from shared.law.rules import Rule
from shared.law.terms import Step, Verdict

DAYS_MAX = 60
MIDNIGHT = time(0)
ONE_DAY = timedelta(days=1)
Window = tuple[datetime, datetime]
PLACE_UNKNOWN = "house-place"


@dataclass(frozen=True, slots=True)
class Screening:
    """A day of a case: when it is lawful, [start, end) in the debtor's zone, and the rule that stops the rest."""

    windows: tuple[Window, ...]
    rule_id: str | None = None


@dataclass(frozen=True, slots=True)
class Earliest:
    """The first lawful moment, in the debtor's zone; `rule_id` and `decision` say what stands in the way before it.

    `at` is None where nothing is lawful within reach; `rule_id` is None where it is lawful at once.
    """

    at: datetime | None
    rule_id: str | None = None
    decision: Decision | None = None


def lawful_windows(packs: tuple[RulePack, ...], facts: Facts, day: date, step: Step = Step.PLAN) -> list[Window]:
    """When on a local day the act would not be blocked: pairs of times in the debtor's zone, [start, end)."""
    return list(screen(packs, facts, day, step).windows)


def screen(packs: tuple[RulePack, ...], facts: Facts, day: date, step: Step = Step.PLAN) -> Screening:
    """The lawful windows of a local day and, where a part of it is not lawful, the rule that decided the last part."""
    try:
        act = _Act.of(facts, step)
    except calendar.UnknownPlace:
        return Screening((), PLACE_UNKNOWN)
    windows: list[Window] = []
    blocking: Rule | None = None
    for start, end, stopped in _pieces(act, packs, day, _changes(packs, act)):
        if stopped is not None:
            blocking = stopped
        elif windows and windows[-1][1] == start:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    local = tuple((with_offset(start, act.zone), with_offset(end, act.zone)) for start, end in windows)
    return Screening(local, blocking.id if blocking else None)


def earliest_lawful(
    law: Law, facts: Facts, *, after: datetime, days_max: int = DAYS_MAX, step: Step = Step.PLAN
) -> Earliest:
    """The first moment from `after` on at which the act would not be blocked, and what stands in the way before."""
    moved = facts.moved_to(after)
    now = evaluate(law.packs_of(moved), step, moved)
    try:
        act = _Act.of(facts, step)
    except calendar.UnknownPlace:
        return Earliest(None, PLACE_UNKNOWN, now)
    if now.verdict is not Verdict.BLOCK:
        return Earliest(with_offset(after, act.zone))
    first_day = after.astimezone(act.zone).date()
    blocking: Rule | None = None
    packs: tuple[RulePack, ...] = ()
    changes: set[Change] = set()
    for number in range(days_max + 1):
        day = first_day + timedelta(days=number)
        of_day = law.packs_for(facts.jurisdiction, day)
        if of_day != packs:
            packs, changes = of_day, _changes(of_day, act)
        for start, end, stopped in _pieces(act, packs, day, changes, blocking):
            if stopped is None and end > after:
                at = with_offset(max(start, after), act.zone)
                return Earliest(at, blocking.id if blocking else now.deciding[0].rule_id, now)
            blocking = stopped or blocking
    return Earliest(None, blocking.id if blocking else None, now)


@dataclass(frozen=True, slots=True)
class _Act:
    """What stays the same while the moment moves."""

    facts: Facts
    step: Step
    zone_name: str
    zone: ZoneInfo

    @classmethod
    def of(cls, facts: Facts, step: Step) -> "_Act":
        """Raises UnknownPlace."""
        zone_name = zone_name_of(facts)
        return cls(facts, step, zone_name, calendar.zone(zone_name))


def _changes(packs: tuple[RulePack, ...], act: _Act) -> set[Change]:
    """When a verdict can change: times of every day, and moments."""
    rules = (rule for pack in packs for rule in pack.judged_at(act.step))
    return {change for rule in rules for change in rule.how.changes(rule.parameters, act.facts)}


def _pieces(
    act: _Act, packs: tuple[RulePack, ...], day: date, changes: set[Change], before: Rule | None = None
) -> Iterator[tuple[datetime, datetime, Rule | None]]:
    """The pieces of a day within which no verdict changes (UTC), and the rule that stops each.

    `before` is the rule that stopped the day before: where it stops this one from end to end, nothing else is asked.
    """
    midnight = datetime.combine(day, MIDNIGHT, act.zone).astimezone(UTC)
    end = datetime.combine(day + ONE_DAY, MIDNIGHT, act.zone).astimezone(UTC)
    rules = [[rule for rule in pack.judged_at(act.step) if rule.in_force(day)] for pack in packs]
    noon = moment_at(act.facts, act.step, midnight + (end - midnight) / 2, act.zone_name)
    steady = before is not None and _is_steady(before, act.facts, midnight, end)
    if steady and any(before in of_pack and _blocks(before, of_pack, act.facts, noon) for of_pack in rules):
        yield midnight, end, before
        return
    blocking = before
    for start, until in pairwise(_cuts(midnight, end, day, act.zone, changes)):
        local = with_offset(start + (until - start) / 2, act.zone)
        moment = Moment(act.step, local, act.zone_name, noon.holiday, noon.holidays_known)
        blocking = _blocking(rules, act.facts, moment, blocking)
        yield start, until, blocking


def _is_steady(rule: Rule, facts: Facts, midnight: datetime, end: datetime) -> bool:
    """Whether the verdict of a rule cannot change within a day."""
    changes = rule.how.changes(rule.parameters, facts)
    moments = [change for change in changes if isinstance(change, datetime)]
    lifted_by_rule = rule.override is not None and "-" in rule.override
    return not lifted_by_rule and len(moments) == len(changes) and not any(midnight < each < end for each in moments)


def _cuts(midnight: datetime, end: datetime, day: date, zone: ZoneInfo, changes: set[Change]) -> list[datetime]:
    """The borders of a day's pieces. Where the clocks change, a time of day may come twice, or never."""
    cuts = {midnight, end}
    turned = calendar.clock_change(zone.key, day)
    if turned is not None:
        cuts.add(turned)
    for change in changes:
        if isinstance(change, datetime):
            found = [change]
        else:
            found = [datetime.combine(day, change.replace(fold=fold), zone) for fold in ((0, 1) if turned else (0,))]
        cuts.update(each for each in (one.astimezone(UTC) for one in found) if midnight < each < end)
    return sorted(cuts)


def _blocking(rules: list[list[Rule]], facts: Facts, moment: Moment, first: Rule | None) -> Rule | None:
    """The rule that blocks at this moment, the one that did so before tried first."""
    for of_pack in rules:
        if first is not None and first in of_pack and _blocks(first, of_pack, facts, moment):
            return first
    for of_pack in rules:
        for rule in of_pack:
            if rule.blocks and rule is not first and _blocks(rule, of_pack, facts, moment):
                return rule
    return None


def _blocks(rule: Rule, of_pack: list[Rule], facts: Facts, moment: Moment) -> bool:
    if judge(rule, facts, moment).satisfied or (rule.override is not None and rule.override in facts.consents):
        return False
    met = {other.id for other in of_pack if other.id == rule.override and judge(other, facts, moment).satisfied}
    return lifted_by(rule, facts, met) is None
