"""A trial of a rule before it is anybody's law: it is judged on a sound act, at each of its steps, on the first and the
last day that the calendar of the law knows. What it raises then, it would raise in every decision of its place."""

from datetime import UTC, date, datetime

from shared.law.dates import YEAR_MAX, YEAR_MIN
from shared.law.facts import CollectorFacts, Facts, Inquiry, QuietPeriod
from shared.law.kinds import Moment
from shared.law.kinds.periods import Deadline
from shared.law.rules import Rule
from shared.law.terms import NoticeKind, PersonMet, QuietReason


def try_rule(rule: Rule) -> None:
    """Raises what the rule would raise."""
    for facts in ACTS:
        for step in rule.steps:
            if rule.how.judge is not None:
                rule.how.judge(rule.parameters, facts, Moment(step, facts.at, "UTC"))
                rule.how.changes(rule.parameters, facts)
        if isinstance(rule.parameters, Deadline):
            rule.parameters.due_on(facts.at.date(), None, None)


def _act(at: datetime) -> Facts:
    """An act of which everything that a sum could be made with is known."""
    day: date = at.date()
    return Facts(
        jurisdiction="xx",
        country="XX",
        at=at,
        ends_at=at,
        time_zone="UTC",
        product="ANY",
        indoor=True,
        transferred=True,
        person_met=PersonMet.THIRD_PARTY,
        inquiry=Inquiry(discloses=False),
        collectors=(CollectorFacts(ref="a", cleared=True, last_assessed_on=day),),
        quiet_periods=tuple(QuietPeriod(reason=reason, first_day=day) for reason in QuietReason),
        contact_visits=(at,),
        first_contact_at=at,
        notices=dict.fromkeys(NoticeKind, at),
        agent_changed_at=at,
        asked_to_leave=(at,),
        left_at=at,
        agency_reviewed_on=day,
        distance_m=0.0,
        accuracy_m=0.0,
        clock_offset_seconds=0.0,
        calls=(at,),
        conversations=(at,),
        calls_unanswered_today=0,
        calls_effective_today=0,
        arrangement_months=1,
    )


ACTS = (_act(datetime(YEAR_MIN, 1, 1, tzinfo=UTC)), _act(datetime(YEAR_MAX, 12, 31, 23, 59, 59, tzinfo=UTC)))
