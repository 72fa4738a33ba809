"""When a rule applies at all: a closed list of questions to the facts, each answered yes, no, or not known."""

from collections.abc import Callable
from typing import Literal

from shared.law.facts import Facts
from shared.law.kinds.base import Outcome, Parameters, missing, not_applicable
from shared.law.terms import NoticeKind, PersonMet, VisitPurpose

Condition = Literal[
    "indoor", "transferred", "first_visit", "unannounced", "right_party_met", "anyone_met", "asked_to_leave",
    "employer_forbids", "agreed_revisit",
]  # fmt: skip

# The answer, and the fact that is missing where there is none.
_ANSWERS: dict[str, tuple[str, Callable[[Facts], bool | None]]] = {
    "indoor": ("indoor", lambda facts: facts.indoor),
    "transferred": ("transferred", lambda facts: facts.transferred),
    "first_visit": ("contact_visits", lambda facts: not facts.contact_visits),
    "unannounced": ("notices", lambda facts: NoticeKind.VISIT not in facts.notices),
    "right_party_met": ("person_met", lambda facts: facts.person_met.is_right_party if facts.person_met else None),
    "anyone_met": ("person_met", lambda facts: facts.person_met is not PersonMet.NONE if facts.person_met else None),
    "asked_to_leave": ("asked_to_leave", lambda facts: bool(facts.asked_to_leave)),
    "employer_forbids": ("employer_forbids", lambda facts: facts.employer_forbids),
    "agreed_revisit": ("purpose", lambda facts: facts.purpose is VisitPurpose.AGREED_REVISIT),
}


class Conditional(Parameters):
    """A rule that applies only if all of these hold."""

    only_if: tuple[Condition, ...] = ()


def set_aside(parameters: Conditional, facts: Facts) -> Outcome | None:
    """The outcome where the rule does not apply, or where that cannot be told; None where it applies."""
    for condition in parameters.only_if:
        name, answer = _ANSWERS[condition]
        holds = answer(facts)
        if holds is None:
            return missing(name)
        if not holds:
            return not_applicable({condition: False})
    return None
