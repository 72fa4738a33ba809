"""The kinds of rules: each a pure function from a rule, the facts and the moment to an outcome.

An outcome says whether the rule is satisfied (None: a fact is missing, and named), on which inputs, and why in words.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from shared.law import calendar
from shared.law.facts import CollectorFacts, Facts
from shared.law.packs import (
    CallCap,
    Forbidden,
    Hold,
    HoursWindow,
    People,
    PersonAllowed,
    Position,
    RequiredFact,
    ReviewDue,
    Rule,
    Staff,
    TermLimit,
    VisitCap,
)
from shared.law.terms import HoldScope, Step


@dataclass(frozen=True, slots=True)
class Moment:
    """The act in the debtor's local time."""

    step: Step
    local: datetime
    time_zone: str

    @property
    def day(self) -> date:
        return self.local.date()


@dataclass(frozen=True, slots=True)
class Outcome:
    satisfied: bool | None
    inputs: dict[str, Any] = field(default_factory=dict)
    en: str = ""
    zh: str = ""
    missing: tuple[str, ...] = ()


def _missing(*names: str) -> Outcome:
    named = ", ".join(names)
    return Outcome(None, {}, f"Not known, and needed: {named}.", f"缺少必要資料：{named}。", names)


def hours_window(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    window: HoursWindow = rule.parameters
    at = moment.local.time()
    before_end = at <= window.until if window.until_included else at < window.until
    satisfied = window.from_ <= at and before_end
    hours = f"{window.from_:%H:%M}–{window.until:%H:%M}"
    return Outcome(
        satisfied,
        {"local_time": moment.local.isoformat(), "time_zone": moment.time_zone, "from": str(window.from_)},
        f"It is {at:%H:%M} at the debtor's place; allowed is {hours}.",
        f"債務人當地時間為 {at:%H:%M}；允許時段為 {hours}。",
    )


def visit_cap(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: VisitCap = rule.parameters
    for at_most, days in parameters.caps:
        since = facts.at - timedelta(days=days)
        count = sum(since < visit <= facts.at for visit in facts.contact_visits)
        if count >= at_most:
            return Outcome(
                False,
                {"contact_visits": count, "at_most": at_most, "days": days},
                f"{count} visit(s) with contact within {days} days; at most {at_most} allowed.",
                f"{days} 天內已有 {count} 次面見；最多允許 {at_most} 次。",
            )
    return Outcome(True, {"contact_visits": len(facts.contact_visits)}, "The cap is not reached.", "未達次數上限。")


def required_fact(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: RequiredFact = rule.parameters
    if parameters.only_if and not getattr(facts, parameters.only_if):
        if getattr(facts, parameters.only_if) is None:
            return _missing(parameters.only_if)
        return Outcome(True, {parameters.only_if: False}, "The rule does not apply here.", "本規則於此不適用。")
    consent = parameters.fact.removeprefix("consent:")
    value: Any = consent in facts.consents if consent != parameters.fact else getattr(facts, parameters.fact)
    if value is None:
        return _missing(parameters.fact)
    satisfied = value <= facts.at if isinstance(value, datetime) else bool(value)
    shown = value.isoformat() if isinstance(value, datetime) else value
    if satisfied:
        return Outcome(True, {parameters.fact: shown}, "It is on record.", "已有紀錄。")
    return Outcome(
        False, {parameters.fact: shown}, f"Not on record: {parameters.fact}.", f"缺少紀錄：{parameters.fact}。"
    )


def forbidden_fact(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: Forbidden = rule.parameters
    value = getattr(facts, parameters.fact)
    if value is None:
        return _missing(parameters.fact)
    if value:
        return Outcome(
            False, {parameters.fact: True}, f"Forbidden: {parameters.fact}.", f"禁止事項：{parameters.fact}。"
        )
    return Outcome(True, {parameters.fact: False}, "Nothing forbidden was found.", "未發現禁止事項。")


def people_needed(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    needed: People = rule.parameters
    if moment.step is Step.CHECK_IN:
        count = len(set(facts.checked_in))
        en, zh = "checked in", "已報到"
    else:
        if facts.collectors is None:
            return _missing("collectors")
        count = len({collector.ref for collector in facts.collectors})
        en, zh = "on the team", "在隊"
    return Outcome(
        count >= needed.at_least,
        {"collectors": count, "at_least": needed.at_least},
        f"{count} collector(s) {en}; at least {needed.at_least} are needed.",
        f"{zh}人數 {count}；至少需要 {needed.at_least} 人。",
    )


def certificate(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    if facts.collectors is None:
        return _missing("collectors")
    for collector in facts.collectors:
        if collector.cleared is None:
            return _missing("collectors.cleared")
        held = {c.code for c in collector.certificates if c.valid_from <= moment.day <= c.valid_until}
        lacking = sorted(facts.required_certificates - held)
        if not collector.cleared or lacking:
            what = ", ".join(lacking) or "clearance"
            return Outcome(
                False,
                {"collector": collector.ref, "lacking": lacking, "cleared": collector.cleared},
                f"A collector lacks on that day: {what}.",
                f"有外訪員當日不具備：{what}。",
            )
    return Outcome(True, {"collectors": len(facts.collectors)}, "All are cleared and certified.", "全員合格並持證。")


def staff(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: Staff = rule.parameters
    if facts.collectors is None:
        return _missing("collectors")
    for collector in facts.collectors:
        wrong = _wrong_with(collector, parameters, moment.day)
        if wrong and wrong[1]:
            return _missing(f"collectors.{wrong[0]}")
        if wrong:
            return Outcome(
                False,
                {"collector": collector.ref, "fact": wrong[0]},
                f"A collector may not be sent: {wrong[0]}.",
                f"有外訪員不得派遣：{wrong[0]}。",
            )
    return Outcome(True, {"collectors": len(facts.collectors)}, "All may be sent.", "全員可派遣。")


def _wrong_with(collector: CollectorFacts, parameters: Staff, day: date) -> tuple[str, bool] | None:
    """What stands against a collector, and whether that is only unknown."""
    for name in parameters.forbidden:
        value = getattr(collector, name)
        if value is None or value:
            return name, value is None
    for name in parameters.required:
        value = getattr(collector, name)
        if not value:
            return name, value is None
    if parameters.assessed_within_days is not None:
        if collector.last_assessed_on is None:
            return "last_assessed_on", True
        if (day - collector.last_assessed_on).days > parameters.assessed_within_days:
            return "last_assessed_on", False
    return None


def hold(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: Hold = rule.parameters
    scopes = {HoldScope.ALL, HoldScope.CALL if moment.step is Step.CALL else HoldScope.VISIT}
    for held in facts.holds:
        if held.scope in scopes and facts.purpose not in parameters.lets_through.get(held.reason, ()):
            return Outcome(
                False,
                {"reason": held.reason, "scope": held.scope, "purpose": facts.purpose},
                f"Contact is on hold: {held.reason}.",
                f"案件暫停接觸：{held.reason}。",
            )
    return Outcome(True, {"holds": len(facts.holds)}, "No hold stops this.", "無暫停事由。")


def no_holiday(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    if facts.country is None:
        return _missing("country")
    name = calendar.holiday_on(facts.country, facts.region, moment.day)
    inputs = {"day": str(moment.day), "country": facts.country, "holiday": name, "data": calendar.data_versions()}
    if name:
        return Outcome(
            False, inputs, f"{moment.day} is a public holiday ({name}).", f"{moment.day} 為國定假日（{name}）。"
        )
    return Outcome(True, inputs, "It is no public holiday.", "非國定假日。")


def address(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    inputs = {"verified": facts.address_verified, "hazard": facts.hazard, "safety_plan": facts.safety_plan}
    if facts.address_verified is None:
        return _missing("address_verified")
    if facts.hazard is None:
        return _missing("hazard")
    if not facts.address_verified:
        return Outcome(False, inputs, "The address is not verified.", "地址未經查證。")
    if facts.hazard and not facts.safety_plan:
        return Outcome(
            False,
            inputs,
            "The address lies in a hazard zone and there is no safety plan.",
            "地址位於危險區域，且無安全計畫。",
        )
    return Outcome(True, inputs, "The address is verified.", "地址已查證。")


def person_allowed(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: PersonAllowed = rule.parameters
    if facts.person_met is None:
        return _missing("person_met")
    return Outcome(
        facts.person_met in parameters.persons,
        {"person_met": facts.person_met},
        f"The person met: {facts.person_met}.",
        f"會面對象：{facts.person_met}。",
    )


def position(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    limits: Position = rule.parameters
    found = {name: getattr(facts, name) for name in ("distance_m", "accuracy_m", "clock_offset_seconds")}
    unknown = tuple(name for name, value in found.items() if value is None)
    if unknown:
        return _missing(*unknown)
    over = [name for name, value in found.items() if abs(value) > getattr(limits, name)]
    if over:
        return Outcome(False, found, f"Beyond the tolerance: {', '.join(over)}.", f"超出容許範圍：{', '.join(over)}。")
    return Outcome(True, found, "Position and clock are within tolerance.", "定位與時間在容許範圍內。")


def call_cap(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: CallCap = rule.parameters
    count = getattr(facts, parameters.fact)
    if count is None:
        return _missing(parameters.fact)
    return Outcome(
        count < parameters.at_most,
        {parameters.fact: count, "at_most": parameters.at_most},
        f"{count} so far today; at most {parameters.at_most} allowed.",
        f"今日已 {count} 次；最多 {parameters.at_most} 次。",
    )


def review_due(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: ReviewDue = rule.parameters
    on = getattr(facts, parameters.fact)
    if on is None:
        return _missing(parameters.fact)
    days = (moment.day - on).days
    return Outcome(
        0 <= days <= parameters.within_days,
        {parameters.fact: str(on), "within_days": parameters.within_days},
        f"Last reviewed {days} days ago; it must be within {parameters.within_days}.",
        f"上次檢視為 {days} 天前；須在 {parameters.within_days} 天內。",
    )


def term_limit(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    parameters: TermLimit = rule.parameters
    value = getattr(facts, parameters.fact)
    if value is None:
        return Outcome(True, {}, "The rule does not apply here.", "本規則於此不適用。")
    return Outcome(
        value <= parameters.at_most,
        {parameters.fact: value, "at_most": parameters.at_most},
        f"{value}; at most {parameters.at_most} allowed.",
        f"{value}；最多 {parameters.at_most}。",
    )


def retention(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    return Outcome(True, {"years": rule.parameters.years}, "Records are kept.", "紀錄已保存。")


JUDGES: dict[str, Callable[[Rule, Facts, Moment], Outcome]] = {
    "hours-window": hours_window,
    "visit-cap": visit_cap,
    "required-fact": required_fact,
    "forbidden-fact": forbidden_fact,
    "people-needed": people_needed,
    "certificate": certificate,
    "staff": staff,
    "hold": hold,
    "no-holiday": no_holiday,
    "address": address,
    "person-allowed": person_allowed,
    "position": position,
    "call-cap": call_cap,
    "review-due": review_due,
    "term-limit": term_limit,
    "retention": retention,
}
