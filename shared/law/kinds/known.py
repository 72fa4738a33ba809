"""At which steps a fact can be known at all. A rule that asks for one at another step could never be satisfied there,
or never fire: it is refused when it is read. A fact that is not named here can be known at every step."""

from shared.law.terms import Step

ALWAYS = frozenset(Step)
INTAKE, CALL, LETTER, CHECK_IN, COMPLETION = (
    frozenset({step}) for step in (Step.INTAKE, Step.CALL, Step.LETTER, Step.CHECK_IN, Step.COMPLETION)
)
VISIT = frozenset({Step.PLAN, Step.DISPATCH, Step.CHECK_IN, Step.COMPLETION})

KNOWN_AT: dict[str, frozenset[Step]] = {
    "third_party_data": INTAKE,
    "inquiry": CALL | LETTER,
    **dict.fromkeys(("calls", "conversations", "calls_unanswered_today", "calls_effective_today"), CALL),
    "person_met": CALL | LETTER | COMPLETION,
    **dict.fromkeys(("contact_visits", "person_visits", "asked_to_leave", "address_verified", "hazard"), VISIT),
    **dict.fromkeys(("collectors", "agency_reviewed_on", "agency_listed"), VISIT),
    **dict.fromkeys(("carried", "distance_m", "accuracy_m", "clock_offset_seconds", "mock_location"), CHECK_IN),
    **dict.fromkeys(("credentials_shown", "authority_shown", "recordings", "willing_now", "left_at"), COMPLETION),
    **dict.fromkeys(("fees_taken", "conduct", "arrangement_months"), COMPLETION),
}


def steps_of(needs: tuple[str, ...]) -> frozenset[Step]:
    """The steps at which one of these facts, at least, can be known."""
    return frozenset().union(*(KNOWN_AT.get(name, ALWAYS) for name in needs)) if needs else ALWAYS
