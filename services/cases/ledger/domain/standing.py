"""The accounts of a case together: what is owed, overpaid and asked, how late it is. Accounts are never netted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from services.cases.ledger.domain.ageing import of_statement
from services.cases.ledger.domain.balance import Position, movements, position
from services.cases.ledger.domain.cash import open_cash
from services.cases.ledger.domain.entries import PAID, Entry, Kind
from services.cases.ledger.domain.life import GONE, Life, State, life
from shared.money import AMOUNT_MINOR_MAX


class Phase(StrEnum):
    """Where a case stands as a whole: demanded, owing nothing, or no longer placed with us, and why."""

    OPEN = "OPEN"
    PAID = "PAID"
    ABSENT = "ABSENT"
    RECALLED = "RECALLED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """One account now. `received_minor`: the payments and the open cash, less what was reversed. `booked_minor`: the
    balance by the lender's word alone, without open cash."""

    position: Position
    life: Life
    days_past_due: int
    received_minor: int
    payments: int
    booked_minor: int

    @property
    def counts(self) -> bool:
        """Whether the account is still placed with us."""
        return self.life.state not in GONE


@dataclass(frozen=True, slots=True)
class CaseStanding:
    """A case now, in minor units. `open_accounts`: those that are placed with us and not settled."""

    owed_minor: int
    overpaid_minor: int
    asked_minor: int
    days_past_due: int
    open_accounts: int
    phase: Phase

    @property
    def fits(self) -> bool:
        """Whether what is owed, and what is overpaid, stay amounts that can be sent and stored."""
        return max(self.owed_minor, self.overpaid_minor) <= AMOUNT_MINOR_MAX


def account_standings(
    accounts: Mapping[UUID, Sequence[Entry]], today: date, *, term_ends: date | None = None
) -> dict[UUID, AccountStanding]:
    """Each account of a case, from the entries of all of them."""
    cash = open_cash(accounts)
    found = {}
    for account_id, entries in accounts.items():
        own_cash = cash.get(account_id, [])
        where, lived = position(entries, own_cash), life(entries, term_ends=term_ends)
        late = of_statement(where.statement, where.balance_minor, today) if lived.state is State.OPEN else 0
        paid = [entry for entry in entries if entry.kind in PAID] + own_cash
        reversed_minor = sum(each.amount_minor for each in movements(entries) if each.entry.kind is Kind.REVERSAL)
        received = -sum(entry.amount_minor for entry in paid) - reversed_minor
        booked = where.balance_minor - sum(entry.amount_minor for entry in own_cash)
        found[account_id] = AccountStanding(where, lived, late, received, len(paid), booked)
    return found


def case_standing(accounts: Collection[AccountStanding]) -> CaseStanding:
    """The sums of a case. What one account is overpaid never lowers what another owes."""
    placed = [each for each in accounts if each.counts]
    owed = sum(max(0, each.position.balance_minor) for each in placed)
    return CaseStanding(
        owed_minor=owed,
        overpaid_minor=sum(max(0, -each.position.balance_minor) for each in placed),
        asked_minor=sum(max(0, each.position.asked_minor) for each in placed),
        days_past_due=max((each.days_past_due for each in placed), default=0),
        open_accounts=sum(each.life.state is State.OPEN for each in placed),
        phase=_phase(accounts),
    )


def _phase(accounts: Collection[AccountStanding]) -> Phase:
    """A case is paid once its placed accounts owe nothing, by the lender's word: open cash closes and opens nothing. It
    has left us with its last account, in the way that most binds us."""
    placed = [each for each in accounts if each.counts]
    if placed:
        return Phase.OPEN if any(each.booked_minor > 0 for each in placed) else Phase.PAID
    left = {each.life.state.value for each in accounts}
    return next((phase for phase in (Phase.RECALLED, Phase.RETURNED, Phase.ABSENT) if phase.value in left), Phase.OPEN)
