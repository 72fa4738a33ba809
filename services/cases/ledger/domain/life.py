"""The life of an account follows the facts by their day, never by their arrival: a late older row reopens nothing.

On one day a reversal comes before the lender's row, the row before absence from a full file, absence before recall.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.cases.ledger.domain.balance import movements, statements_by_day
from services.cases.ledger.domain.entries import Entry, Kind, of_kind


class State(StrEnum):
    OPEN = "OPEN"
    PAID_AT_LENDER = "PAID_AT_LENDER"
    ABSENT = "ABSENT"
    RECALLED = "RECALLED"
    RETURNED = "RETURNED"


# Not placed with us: what such an account owes is not asked, and not part of what its case owes.
GONE = frozenset({State.ABSENT, State.RECALLED, State.RETURNED})
_SETTLED = frozenset({State.PAID_AT_LENDER, State.ABSENT})
_ENDS = {Kind.CLOSING: State.ABSENT, Kind.RECALL: State.RECALLED, Kind.RETURN: State.RETURNED}
_ORDER = (Kind.REVERSAL, Kind.STATEMENT, Kind.CLOSING, Kind.RECALL, Kind.RETURN, Kind.REOPENING)


@dataclass(frozen=True, slots=True)
class Life:
    """The state, since which day, and the facts that would have reopened it after its term."""

    state: State
    since: date
    too_late: tuple[Entry, ...] = ()


def life(entries: Sequence[Entry], *, term_ends: date | None = None) -> Life:
    """The life of an account. A balance above 0 or a reversal on a later day reopens it until `term_ends` (None: no
    term)."""
    state, since = State.OPEN, min(entry.through for entry in of_kind(entries, Kind.STATEMENT))
    too_late = []
    for day, entry, amount in _facts(entries):
        new = _next(state, entry, amount)
        reopens = new is State.OPEN and state is not State.OPEN and entry.kind is not Kind.REOPENING
        if reopens and term_ends is not None and day > term_ends:
            too_late.append(entry)
        elif new is not state:
            state, since = new, day
    return Life(state, since, tuple(too_late))


def _facts(entries: Sequence[Entry]) -> Iterator[tuple[date, Entry, int]]:
    reversals = [(each.posted_on, each.entry, each.amount_minor) for each in movements(entries)]
    facts = [each for each in reversals if each[1].kind is Kind.REVERSAL]
    facts += [(entry.through, entry, entry.amount_minor) for entry in statements_by_day(entries)]
    facts += [(entry.posted_on, entry, 0) for entry in of_kind(entries, *_ENDS, Kind.REOPENING)]
    yield from sorted(facts, key=lambda fact: (fact[0], _ORDER.index(fact[1].kind), fact[1].booked_at))


def _next(state: State, entry: Entry, amount_minor: int) -> State:
    if entry.kind is Kind.REOPENING:
        return State.OPEN
    if entry.kind is Kind.REVERSAL:
        return State.OPEN if state in _SETTLED and amount_minor > 0 else state
    if entry.kind is Kind.STATEMENT:
        if amount_minor > 0:
            return State.OPEN
        return State.PAID_AT_LENDER if state is State.OPEN else state
    return _ENDS[entry.kind] if state not in GONE or entry.kind is not Kind.CLOSING else state
