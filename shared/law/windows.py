"""When an act is lawful: the windows of a day, the earliest moment, and many cases screened for one day.

A day is cut at every moment at which a verdict can change; each piece is judged once, and what stopped the piece before
is tried first. All times are of the start of the act: one whose length is known keeps it wherever it is moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from shared.law import calendar
from shared.law.decision import Decision
from shared.law.facts import Facts
from shared.law.gate import evaluate, judge, lifted_by, rules_at
from shared.law.kinds import Moment
from shared.law.kinds.base import Change, at_start_or_end
from shared.law.packs import RulePack
from shared.law.places import moment_at, with_offset, zone_name_of
from shared.law.register import Law
from shared.law.rules import Rule
from shared.law.terms import Step, Verdict

DAYS_MAX = 60
MIDNIGHT = time(0)
ONE_DAY = timedelta(days=1)
Window = tuple[datetime, datetime]
# From, until, and the rules that stop it; none: it is lawful.
_Piece = tuple[datetime, datetime, tuple[Rule, ...]]
PLACE_UNKNOWN = "house-place"


@dataclass(frozen=True, slots=True)
class Screening:
    """A day of a case: when it is lawful, [start, end) in the debtor's zone, and the rule that stops the rest."""

    windows: tuple[Window, ...]
    rule_id: str | None = None


@dataclass(frozen=True, slots=True)
class Earliest:
    """The first lawful moment, in the debtor's zone, and the rule that stands in the way of an earlier one longest.

    `decision` is taken at a moment at which that rule blocks. `at` is None where nothing is lawful within reach;
    `rule_id` is None where it is lawful at once.
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
    for start, end, stopping in _pieces(act, packs, day, _changes(packs, act), rules_max=1):
        if stopping:
            blocking = stopping[0]
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
    blocks: list[_Block] = []
    for start, end, stopping in _pieces_from(law, act, after, days_max):
        if not stopping:
            return _found(law, act, blocks, now, with_offset(start, act.zone))
        if blocks and stopping[0] in blocks[-1].rules:
            blocks[-1] = _Block(blocks[-1].start, end, stopping)
        else:
            blocks.append(_Block(start, end, stopping))
    return _found(law, act, blocks, now, None)


@dataclass(frozen=True, slots=True)
class _Block:
    """A time that each of these rules alone stops from end to end."""

    start: datetime
    end: datetime
    rules: tuple[Rule, ...]


def _found(law: Law, act: "_Act", blocks: list[_Block], now: Decision, at: datetime | None) -> Earliest:
    """What was found, because of the rule that stands in the way longest, as it stands when its block begins."""
    longest = max(blocks, key=lambda block: block.end - block.start)
    if longest is blocks[0]:
        return Earliest(at, longest.rules[0].id, now)
    then = act.facts.moved_to(longest.start)
    return Earliest(at, longest.rules[0].id, evaluate(law.packs_of(then), act.step, then))


def _pieces_from(law: Law, act: "_Act", after: datetime, days_max: int) -> Iterator[_Piece]:
    """The pieces of the days from a moment on; what stopped one is asked first in the next."""
    first_day = after.astimezone(act.zone).date()
    packs: tuple[RulePack, ...] = ()
    changes: set[Change] = set()
    stopping: tuple[Rule, ...] = ()
    for number in range(days_max + 1):
        day = first_day + timedelta(days=number)
        of_day = law.packs_on(act.facts, day)
        if of_day != packs:
            packs, changes = of_day, _changes(of_day, act)
        for piece in _pieces(act, packs, day, changes, since=after, before=stopping):
            stopping = piece[2]
            yield piece


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
    found = {change for rule in rules for change in rule.how.changes(rule.parameters, act.facts)}
    return found | set(_grant_changes(act.facts))


def _grant_changes(facts: Facts) -> list[datetime]:
    """When a consent or another ground begins or ends to hold for the whole act."""
    borders = [each for grant in facts.grants for each in (grant.since, grant.until) if each is not None]
    return [change for border in borders for change in at_start_or_end(border, facts)]


def _pieces(
    act: _Act,
    packs: tuple[RulePack, ...],
    day: date,
    changes: set[Change],
    *,
    since: datetime | None = None,
    before: tuple[Rule, ...] = (),
    rules_max: int | None = None,
) -> Iterator[_Piece]:
    """The pieces of a day within which no verdict changes (UTC), and the rules that stop each: those that stopped the
    piece before and go on, or, where none does, all that do; of either so many at most.

    `before` are the rules that stopped the day before: where one stops this day from end to end, nothing else is asked.
    """
    midnight = datetime.combine(day, MIDNIGHT, act.zone).astimezone(UTC)
    end = datetime.combine(day + ONE_DAY, MIDNIGHT, act.zone).astimezone(UTC)
    start = midnight if since is None else max(midnight, since.astimezone(UTC))
    rules = [of_pack for _, of_pack in rules_at(packs, act.step, day)]
    noon = moment_at(act.facts, act.step, midnight + (end - midnight) / 2, act.zone_name)
    steady = tuple(rule for rule in before if _is_steady(rule, act.facts, midnight, end))
    whole_day = tuple(_blocking(rules, act.facts, noon, steady))
    if whole_day:
        yield start, end, whole_day
        return
    stopping = before
    for piece_start, until in pairwise(_cuts(start, end, day, act.zone, changes)):
        local = with_offset(piece_start + (until - piece_start) / 2, act.zone)
        moment = moment_at(act.facts, act.step, local, act.zone_name) if act.facts.lasts else replace(noon, local=local)
        going_on = tuple(_blocking(rules, act.facts, moment, stopping))
        stopping = going_on or tuple(islice(_blocking(rules, act.facts, moment), rules_max))
        yield piece_start, until, stopping


def _is_steady(rule: Rule, facts: Facts, midnight: datetime, end: datetime) -> bool:
    """Whether the verdict of a rule cannot change within a day."""
    changes = rule.how.changes(rule.parameters, facts)
    moments = [change for change in changes if isinstance(change, datetime)]
    if any(midnight < each < end for each in _grant_changes(facts)):
        return False
    lifted_by_rule = rule.override is not None and "-" in rule.override
    return not lifted_by_rule and len(moments) == len(changes) and not any(midnight < each < end for each in moments)


def _cuts(start: datetime, end: datetime, day: date, zone: ZoneInfo, changes: set[Change]) -> list[datetime]:
    """The borders of a day's pieces. Where the clocks change, a time of day may come twice, or never."""
    cuts = {start, end}
    turned = calendar.clock_change(zone.key, day)
    if turned is not None and start < turned:
        cuts.add(turned)
    for change in changes:
        if isinstance(change, datetime):
            found = [change]
        else:
            found = [datetime.combine(day, change.replace(fold=fold), zone) for fold in ((0, 1) if turned else (0,))]
        cuts.update(each for each in (one.astimezone(UTC) for one in found) if start < each < end)
    return sorted(cuts)


def _blocking(
    rules: list[list[Rule]], facts: Facts, moment: Moment, among: tuple[Rule, ...] | None = None
) -> Iterator[Rule]:
    """The rules that block at this moment; only those `among` these are asked, where they are named."""
    if among == ():
        return
    for of_pack in rules:
        for rule in of_pack:
            if rule.blocks and (among is None or rule in among) and _blocks(rule, of_pack, facts, moment):
                yield rule


def _blocks(rule: Rule, of_pack: list[Rule], facts: Facts, moment: Moment) -> bool:
    if judge(rule, facts, moment).satisfied:
        return False
    met = {other.id for other in of_pack if other.id == rule.override and judge(other, facts, moment).satisfied}
    return lifted_by(rule, facts, moment, met) is None
