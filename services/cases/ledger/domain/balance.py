"""The formula: the newest statement, the movements posted after it, and open cash of whatever day.

    balance = S.amount + Σ movements with posted_on > S.through + Σ open cash

`asked` is what may be asked of the debtor: a line whose book day is assumed and lies near S.through counts only where
it lowers the sum. Nothing here depends on the order in which entries arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.cases.ledger.domain.entries import MOVEMENTS, Entry, Kind, of_kind, one_currency, paid_by_reference

DOUBT = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement as it counts: the book day that a settlement (POSTED) may have set, and the amount that a reversal may
    reverse at most."""

    entry: Entry
    amount_minor: int
    posted_on: date
    assumed: bool


@dataclass(frozen=True, slots=True)
class Position:
    """What one account owes, in minor units; negative: it is overpaid. `doubtful`: why `asked` differs."""

    statement: Entry
    balance_minor: int
    asked_minor: int
    doubtful: tuple[Movement, ...] = ()


def rank(statement: Entry) -> tuple[date, int, int, int, int]:
    """The greatest counts: the later day, then the lender's issue number, then the lower amount. Of two with equal
    amounts and an assumed day the later one counts; else the one with fewer days past due."""
    arrived = statement.seq if statement.assumed else 0
    return (
        statement.through,
        statement.issue or 0,
        -statement.amount_minor,
        arrived,
        -(statement.days_past_due or 0),
    )


def newest_statement(entries: Iterable[Entry]) -> Entry:
    """The statement that counts. Raises ValueError where there is none: before it there is no account."""
    return max(of_kind(entries, Kind.STATEMENT), key=rank)


def statements_by_day(entries: Iterable[Entry]) -> list[Entry]:
    """Of each day the statement that counts, oldest first."""
    newest: dict[date, Entry] = {}
    for entry in sorted(of_kind(entries, Kind.STATEMENT), key=rank):
        newest[entry.through] = entry
    return list(newest.values())


def movements(entries: Sequence[Entry]) -> list[Movement]:
    """The movements that count. A reversal whose payment is unknown counts only where that payment lies within the
    first statement; else it waits (`pending_reversals`)."""
    settled = _settled_days(entries)
    moved = [_as_posted(entry, settled) for entry in entries if entry.kind in MOVEMENTS]
    reversals = [each for each in moved if each.entry.kind is Kind.REVERSAL]
    if not reversals:
        return moved
    return [each for each in moved if each.entry.kind is not Kind.REVERSAL] + _counted(reversals, entries)


def _settled_days(entries: Sequence[Entry]) -> dict[str | None, date]:
    """Book days that two persons settled, by the reference of the line. The last settlement counts."""
    settled = sorted(of_kind(entries, Kind.POSTED), key=lambda entry: (entry.booked_at, entry.posted_on))
    return {entry.refers_to: entry.posted_on for entry in settled}


def _as_posted(entry: Entry, settled: dict[str | None, date]) -> Movement:
    if entry.reference is not None and entry.reference in settled:
        return Movement(entry, entry.amount_minor, settled[entry.reference], assumed=False)
    return Movement(entry, entry.amount_minor, entry.posted_on, entry.assumed)


def _counted(reversals: Sequence[Movement], entries: Sequence[Entry]) -> list[Movement]:
    """Reversals that count, each at most with what is left of its payment."""
    paid = paid_by_reference(entries)
    statements = of_kind(entries, Kind.STATEMENT)
    first = min((entry.through for entry in statements), default=date.max)
    of_payment: dict[str | None, list[Movement]] = defaultdict(list)
    for each in reversals:
        of_payment[each.entry.refers_to].append(each)
    counted = []
    for reference, group in of_payment.items():
        payment = paid.get(reference) if reference is not None else None
        if payment is None:
            counted += [each for each in group if _payment_day(each.entry) <= first]
            continue
        left = -payment.amount_minor
        for each in sorted(group, key=lambda one: (one.posted_on, str(one.entry.reference))):
            amount = min(each.amount_minor, left)
            left -= amount
            counted.append(Movement(each.entry, amount, each.posted_on, each.assumed))
    return counted


def _payment_day(reversal: Entry) -> date:
    return reversal.original_value_date or reversal.value_date


def pending_reversals(entries: Sequence[Entry]) -> list[Entry]:
    """Reversals that wait for a payment that is not known here."""
    counted = {each.entry.id for each in movements(entries)}
    return [entry for entry in of_kind(entries, Kind.REVERSAL) if entry.id not in counted]


def left_of(payment: Entry, entries: Sequence[Entry]) -> int:
    """How much of a payment is not reversed, in minor units."""
    reversals = of_kind(entries, Kind.REVERSAL)
    return -payment.amount_minor - sum(each.amount_minor for each in reversals if each.refers_to == payment.reference)


def position(entries: Sequence[Entry], open_cash: Iterable[Entry] = ()) -> Position:
    """What an account owes, from its entries and its open cash (`cash.open_cash` of the whole case)."""
    one_currency(entries)
    statement = newest_statement(entries)
    balance = asked = statement.amount_minor + sum(entry.amount_minor for entry in open_cash)
    doubtful = []
    for each in movements(entries):
        counts, asks = weigh(each, statement)
        balance += counts
        asked += asks
        if counts != asks:
            doubtful.append(each)
    return Position(statement, balance, asked, tuple(doubtful))


def weigh(movement: Movement, statement: Entry) -> tuple[int, int]:
    """What a movement adds to the balance, and to what is asked."""
    counts = movement.amount_minor if movement.posted_on > statement.through else 0
    in_doubt = movement.assumed and abs(movement.posted_on - statement.through) <= DOUBT
    return counts, min(0, movement.amount_minor) if in_doubt else counts
