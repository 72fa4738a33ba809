"""Kinds that count: acts within days, a number that was told, and the length of an agreement."""

from datetime import datetime, timedelta
from typing import Literal

from shared.law.facts import Facts
from shared.law.kinds.base import Change, Count, Days, Moment, Months, Outcome, Parameters, missing, not_applicable
from shared.law.terms import PlaceType

Acts = Literal["contact_visits", "person_visits", "calls"]
Number = Literal["calls_unanswered_today", "calls_effective_today"]


class Cap(Parameters):
    """At most so many acts in any so many days before this one.

    By the `moment`, an act of exactly so many days ago no longer counts. By the `day`, today is the last of the days.
    """

    counts: Acts
    at_most: Count
    days: Days
    by: Literal["moment", "day"] = "moment"
    place: PlaceType | None = None


def cap(parameters: Cap, facts: Facts, moment: Moment) -> Outcome:
    if parameters.place is not None and facts.place_type is not parameters.place:
        return not_applicable({"place_type": facts.place_type})
    acts: tuple[datetime, ...] | None = getattr(facts, parameters.counts)
    if acts is None:
        return missing(parameters.counts)
    local, days = moment.local, parameters.days
    if parameters.by == "moment":
        since = local - timedelta(days=days)
        count = sum(since < act <= local for act in acts)
    else:
        first = local.date() - timedelta(days=days - 1)
        count = sum(act <= local and act.astimezone(local.tzinfo).date() >= first for act in acts)
    return Outcome(
        count < parameters.at_most,
        {parameters.counts: count, "at_most": parameters.at_most, "days": days},
        f"{count} so far within {days} days; at most {parameters.at_most} allowed.",
        f"{days} 天內已有 {count} 次；最多允許 {parameters.at_most} 次。",
    )


def cap_change(parameters: Cap, facts: Facts) -> list[Change]:
    acts: tuple[datetime, ...] = getattr(facts, parameters.counts) or ()
    return [*acts, *(act + timedelta(days=parameters.days) for act in acts)]


class CountCap(Parameters):
    """A number of acts so far that must stay below a cap, so that this one is still within it."""

    fact: Number
    at_most: Count


def count_cap(parameters: CountCap, facts: Facts, moment: Moment) -> Outcome:
    count: int | None = getattr(facts, parameters.fact)
    if count is None:
        return missing(parameters.fact)
    return Outcome(
        count < parameters.at_most,
        {parameters.fact: count, "at_most": parameters.at_most},
        f"{count} so far today; at most {parameters.at_most} allowed.",
        f"今日已 {count} 次；最多 {parameters.at_most} 次。",
    )


class TermLimit(Parameters):
    """An instalment agreement runs no longer than so many months; for some products alone where they are named."""

    at_most_months: Months
    products: tuple[str, ...] = ()


def term_limit(parameters: TermLimit, facts: Facts, moment: Moment) -> Outcome:
    months = facts.arrangement_months
    if months is None:
        return not_applicable()
    if parameters.products and facts.product is None:
        return missing("product")
    if parameters.products and facts.product not in parameters.products:
        return not_applicable({"product": facts.product})
    return Outcome(
        months <= parameters.at_most_months,
        {"arrangement_months": months, "at_most_months": parameters.at_most_months},
        f"{months} months; at most {parameters.at_most_months} allowed.",
        f"{months} 個月；最多 {parameters.at_most_months} 個月。",
    )
