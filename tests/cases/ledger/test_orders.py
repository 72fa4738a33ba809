"""Whatever the order in which facts arrive, and however often, balances, lives and differences are the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.cases.ledger.domain.accounts import Stated, StatementDays
from services.cases.ledger.domain.balance import position
from services.cases.ledger.domain.differences import Terms, differences
from services.cases.ledger.domain.entries import Entry, Kind
from services.cases.ledger.domain.lines import Line, LineKind, judge
from services.cases.ledger.domain.standing import account_standings, case_standing
from tests.cases.ledger.entries import ACCOUNT, entry, march
from tests.searches import search

TODAY = march(80)
days = st.integers(1, 60).map(march)
amounts = st.integers(1, 900)
statements = st.builds(
    Stated,
    amount_minor=st.integers(-200, 2000),
    days_past_due=st.integers(0, 120),
    days=days.map(lambda day: StatementDays(day, day, assumed=False)),
    source=st.just("test"),
    issue=st.none() | st.integers(1, 3),
)


@st.composite
def lines(draw: Any, number: int) -> list[Line]:
    """A line of the lender; a payment may have a receipt, and reversals that take back parts of it."""
    kind = draw(st.sampled_from([LineKind.PAYMENT] * 4 + [LineKind.CHARGE, LineKind.WAIVER, LineKind.ADJUSTMENT]))
    value, posted, amount = draw(days), draw(days), draw(amounts)
    receipt = f"C-{draw(st.integers(1, 2))}" if kind is LineKind.PAYMENT and draw(st.booleans()) else None
    made = [Line(f"L-{number}", kind, amount, value, posted, posted, receipt_number=receipt)]
    left = amount
    for part in range(draw(st.integers(0, 2)) if kind is LineKind.PAYMENT else 0):
        if left == 0:
            break
        back, on = draw(st.integers(1, left)), draw(days)
        left -= back
        name = f"R-{number}-{part}"
        made.append(Line(name, LineKind.REVERSAL, back, value, on, on, None, f"L-{number}", value))
    return made


@st.composite
def worlds(draw: Any) -> list[Any]:
    """Facts that carry their days: statements, lines, cash of two receipts, facts of the account's life."""
    facts: list[Any] = draw(st.lists(statements, max_size=5))
    for number in range(draw(st.integers(0, 5))):
        facts += draw(lines(number))
    for receipt in ("C-1", "C-2"):
        if draw(st.booleans()):
            facts.append(entry(Kind.CASH, -draw(amounts), draw(days), receipt_number=receipt))
    for kind in (Kind.CLOSING, Kind.RECALL, Kind.RETURN, Kind.REOPENING):
        if draw(st.booleans()):
            facts.append(entry(kind, 0, draw(days)))
    return facts


FIRST = Stated(1500, 30, StatementDays(march(1), march(1), assumed=False), "test")


def arrive(facts: Sequence[Any]) -> list[Entry]:
    """The entries that facts leave behind, in the order in which they arrive. The account is opened with the first
    statement of all, since before it there is no account."""
    entries: list[Entry] = []
    for fact in [FIRST, *facts]:
        if isinstance(fact, Stated):
            said = {"issue": fact.issue, "days_past_due": fact.days_past_due}
            new = entry(Kind.STATEMENT, fact.amount_minor, fact.days.value_date, **said)
            if not any(_facts(new) == _facts(each) for each in entries):
                entries.append(new)
        elif isinstance(fact, Line):
            if judge(fact, entries, TODAY).is_new:
                entries.append(_entry_of(fact))
        elif fact not in entries:
            entries.append(fact)
    return entries


def _entry_of(line: Line) -> Entry:
    return entry(
        line.entry_kind,
        line.signed_minor,
        line.value_date,
        posted_on=line.posting_day,
        reference=line.reference,
        receipt_number=line.receipt_number,
        refers_to=line.reverses,
        original_value_date=line.original_value_date,
    )


def _facts(each: Entry) -> tuple[Any, ...]:
    return each.kind, each.through, each.issue, each.amount_minor, each.days_past_due


def outcome(facts: Sequence[Any]) -> Any:
    entries = {ACCOUNT: arrive(facts)}
    standings = account_standings(entries, TODAY, term_ends=date(2026, 4, 20))
    each = standings[ACCOUNT]
    sums = (each.position.balance_minor, each.position.asked_minor, each.received_minor, each.days_past_due)
    too_late = sorted((one.kind, one.posted_on, one.amount_minor) for one in each.life.too_late)
    listed = differences(entries, TODAY, Terms(country="TW", term_ends=date(2026, 4, 20)))
    return sums, case_standing(standings.values()), each.life.state, each.life.since, too_late, listed


@search(sample=60, whole=5_000)
@given(facts=worlds(), seed=st.integers(0, 10**6))
def test_order_and_repetition_change_nothing(facts: list[Any], seed: int) -> None:
    turned = facts + Random(seed).choices(facts, k=3) if facts else []
    Random(seed).shuffle(turned)
    assert outcome(turned) == outcome(facts)


def test_the_list_is_in_one_order_also_where_a_day_has_three_statements() -> None:
    stated = [replace(FIRST, amount_minor=amount) for amount in (900, 800, 700)]
    assert len(outcome(stated)[-1]) == 3
    assert outcome(stated[::-1])[-1] == outcome(stated)[-1]


@search(sample=40, whole=5_000)
@given(facts=worlds())
def test_no_more_is_asked_than_is_owed(facts: list[Any]) -> None:
    [each] = account_standings({ACCOUNT: arrive(facts)}, TODAY).values()
    assert each.position.asked_minor <= each.position.balance_minor
    assert case_standing([each]).owed_minor >= case_standing([each]).asked_minor >= 0


@search(sample=40, whole=5_000)
@given(seed=st.integers(0, 10**9), delay_max=st.integers(0, 3))
def test_the_books_are_the_lenders_whenever_its_file_comes(seed: int, delay_max: int) -> None:
    """A lender's own book: payments are posted up to three days after their value date, some go back. A file of any
    day contains what is posted until then; lines come in any order. In the end we owe what the lender's book says."""
    random = Random(seed)
    book, moves, name = 5_000, [], 0
    for day in range(1, 40):
        if random.random() < 0.3:
            name += 1
            amount, posted = random.randint(1, 200), day + random.randint(0, delay_max)
            moves.append((posted, -amount, Line(f"P-{name}", LineKind.PAYMENT, amount, march(day), march(posted))))
            if random.random() < 0.2:
                back = posted + random.randint(1, 10)
                line = Line(f"R-{name}", LineKind.REVERSAL, amount, march(day), march(back), march(back), None,
                            f"P-{name}", march(day))  # fmt: skip
                moves.append((back, amount, line))

    def booked(until: int) -> int:
        return book + sum(amount for posted, amount, _ in moves if posted <= until)

    files = [_file(booked(day), day) for day in random.sample(range(1, 50), k=4)]
    facts = [*files, *(line for _, _, line in moves)]
    random.shuffle(facts)
    first = _file(book, 0)
    entries = arrive([first, *facts])
    entries = [each for each in entries if _facts(each) != _facts(arrive([])[0])]  # this lender's first file is its own
    assert position(entries).balance_minor == booked(60)
    assert not differences({ACCOUNT: entries}, TODAY, Terms(country="TW"))


def _file(amount: int, day: int) -> Stated:
    return Stated(amount, 30, StatementDays(march(day), march(day), assumed=False), "test")
