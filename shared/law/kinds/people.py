"""Kinds about persons: who goes, what they are, and with whom the debt may be talked about."""

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from shared.law.dates import months_after
from shared.law.facts import CollectorFacts, Facts
from shared.law.kinds.base import COUNT_MAX, Count, Moment, Months, Outcome, Parameters, missing, not_applicable
from shared.law.names import AGAINST, PERSONS, listed
from shared.law.terms import PersonMet, Step

Stain = Literal["violent_crime_record", "bad_credit"]
Merit = Literal["confidentiality_agreement", "experience", "certified"]


class PeopleNeeded(Parameters):
    """So many collectors at least: on the team, and at a check-in those who have checked in. One there is always."""

    at_least: int = Field(ge=2, le=COUNT_MAX)


def people_needed(needed: PeopleNeeded, facts: Facts, moment: Moment) -> Outcome:
    if moment.step is Step.CHECK_IN:
        count = len(set(facts.checked_in))
        en, zh = "checked in", "已報到"
    else:
        if facts.collectors is None:
            return missing("collectors")
        count = len({collector.ref for collector in facts.collectors})
        en, zh = "on the team", "在隊"
    return Outcome(
        count >= needed.at_least,
        {"collectors": count, "at_least": needed.at_least},
        f"{count} collector(s) {en}; at least {needed.at_least} are needed.",
        f"{zh}人數 {count}；至少需要 {needed.at_least} 人。",
    )


class CertificateNeeded(Parameters):
    """Collectors are cleared and hold, from the start of the act to its end, the certificates that the visit needs and
    those named here."""

    codes: tuple[str, ...] = ()


def certificate(parameters: CertificateNeeded, facts: Facts, moment: Moment) -> Outcome:
    if not facts.collectors:
        return missing("collectors")
    needed = facts.required_certificates.union(parameters.codes)
    for collector in facts.collectors:
        if collector.cleared is None:
            return missing("collectors.cleared")
        lacking = sorted(needed - _held(collector, moment))
        if not collector.cleared or lacking:
            codes = [("the certificate " + each, "證照 " + each) for each in lacking]
            en, zh = listed(codes or [("clearance", "核可")])
            return Outcome(
                False,
                {"collector": collector.ref, "lacking": lacking, "cleared": collector.cleared},
                f"A collector lacks on that day: {en}.",
                f"有外訪員當日不具備：{zh}。",
            )
    return Outcome(True, {"collectors": len(facts.collectors)}, "All are cleared and certified.", "全員合格並持證。")


def _held(collector: CollectorFacts, moment: Moment) -> set[str]:
    """The certificates that are valid from the day of the act's start to that of its end."""
    first, last = moment.day, moment.last_day
    return {each.code for each in collector.certificates if each.valid_from <= first and last <= each.valid_until}


class Staff(Parameters):
    """What each collector must, and must not, be; assessed so many months ago at most."""

    forbidden: tuple[Stain, ...] = ()
    required: tuple[Merit, ...] = ()
    assessed_within_months: Months | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "Staff":
        if not (self.forbidden or self.required or self.assessed_within_months):
            raise ValueError("it asks nothing of a collector, so that the rule could never fire")
        return self


def staff(parameters: Staff, facts: Facts, moment: Moment) -> Outcome:
    if not facts.collectors:
        return missing("collectors")
    for collector in facts.collectors:
        wrong = _wrong_with(collector, parameters, moment)
        if wrong and wrong[1]:
            return missing(f"collectors.{wrong[0]}")
        if wrong:
            en, zh = AGAINST[wrong[0]]
            return Outcome(
                False,
                {"collector": collector.ref, "fact": wrong[0]},
                f"A collector may not be sent: {en}.",
                f"有外訪員不得派遣：{zh}。",
            )
    return Outcome(True, {"collectors": len(facts.collectors)}, "All may be sent.", "全員可派遣。")


def _wrong_with(collector: CollectorFacts, parameters: Staff, moment: Moment) -> tuple[str, bool] | None:
    """What stands against a collector, and whether that is only unknown. What is known to be wrong comes first."""
    found: list[tuple[str, bool]] = []
    for stain in parameters.forbidden:
        value = _trait(collector, stain, moment)
        if value is not False:
            found.append((stain, value is None))
    for merit in parameters.required:
        value = _trait(collector, merit, moment)
        if not value:
            found.append((merit, value is None))
    if parameters.assessed_within_months is not None:
        on = collector.last_assessed_on
        if on is None or not _recent(on, parameters.assessed_within_months, moment):
            found.append(("last_assessed_on", on is None))
    return min(found, key=_unknown_last, default=None)


def _recent(on: date, months: int, moment: Moment) -> bool:
    return on <= moment.day and moment.last_day <= months_after(on, months)


def _unknown_last(found: tuple[str, bool]) -> bool:
    return found[1]


def _trait(collector: CollectorFacts, name: str, moment: Moment) -> bool | None:
    if name == "certified":
        return bool(_held(collector, moment))
    value: bool | None = getattr(collector, name)
    return value


class ForbiddenPerson(Parameters):
    """With whom the debt may be talked about; with nobody else."""

    allowed: tuple[PersonMet, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _leaves_somebody_out(self) -> "ForbiddenPerson":
        if set(self.allowed) >= set(PersonMet) - {PersonMet.NONE}:
            raise ValueError("everybody is allowed, so that the rule could never fire")
        return self


def forbidden_person(parameters: ForbiddenPerson, facts: Facts, moment: Moment) -> Outcome:
    if facts.person_met is None:
        return missing("person_met")
    en, zh = PERSONS[facts.person_met]
    return Outcome(
        facts.person_met in parameters.allowed,
        {"person_met": facts.person_met},
        f"The other party: {en}.",
        f"對方身分：{zh}。",
    )


class LocationInquiry(Parameters):
    """A third party may only be asked where the debtor is: nothing is disclosed, and never again after a refusal.

    Where named: only when the debtor is lost, and so many inquiries of one person at most.
    """

    only_when_lost: bool = False
    failed_calls_at_least: int = Field(0, ge=0, le=COUNT_MAX)
    days_out_of_reach_at_least: int = Field(0, ge=0, le=COUNT_MAX)
    inquiries_at_most: Count | None = None


def location_inquiry(parameters: LocationInquiry, facts: Facts, moment: Moment) -> Outcome:
    if facts.person_met is None:
        return missing("person_met")
    if facts.person_met is not PersonMet.THIRD_PARTY:
        return not_applicable({"person_met": facts.person_met})
    asked = facts.inquiry
    if asked is None:
        return missing("inquiry")
    inputs = asked.model_dump()
    if asked.discloses:
        return Outcome(False, inputs, "The debt would be disclosed to a third party.", "將向第三人揭露債務。")
    if asked.refused:
        return Outcome(False, inputs, "This person has refused to be asked again.", "該人已拒絕再次聯繫。")
    if parameters.inquiries_at_most is not None and asked.inquiries_so_far >= parameters.inquiries_at_most:
        count, most = asked.inquiries_so_far, parameters.inquiries_at_most
        return Outcome(
            False, inputs, f"Asked {count} time(s) already; at most {most}.", f"已詢問 {count} 次；至多 {most} 次。"
        )
    lost = (
        not asked.debtor_has_valid_number
        and asked.failed_calls >= parameters.failed_calls_at_least
        and asked.days_out_of_reach >= parameters.days_out_of_reach_at_least
    )
    if parameters.only_when_lost and not lost:
        return Outcome(False, inputs, "The debtor is not lost: ask the debtor.", "債務人並未失聯，應逕洽債務人。")
    return Outcome(True, inputs, "Asks for the debtor's whereabouts only.", "僅詢問債務人下落。")
