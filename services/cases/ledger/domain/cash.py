"""Cash of the door. A receipt names its accounts and sums; it counts as open cash until the lender's line confirms it
or it is voided. Then the lender's line counts in its place, whatever its amount.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.cases.ledger.domain.entries import PAID, Entry, Kind

Accounts = Mapping[UUID, Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt with its cash entries, and the lender's lines that name it or were matched with it."""

    number: str
    cash: tuple[Entry, ...]
    lines: tuple[Entry, ...]
    voided: bool

    @property
    def taken_minor(self) -> int:
        return -sum(entry.amount_minor for entry in self.cash)

    @property
    def confirmed_minor(self) -> int:
        return -sum(entry.amount_minor for entry in self.lines)

    def open_cash(self) -> list[Entry]:
        """The cash that no line stands for: none of its account's, none that books it on another account, and not all
        of it together."""
        booked_on = {entry.account_id for entry in self.lines}
        elsewhere = booked_on - {entry.account_id for entry in self.cash}
        if self.voided or elsewhere or (self.lines and self.confirmed_minor >= self.taken_minor):
            return []
        return [entry for entry in self.cash if entry.account_id not in booked_on]


def receipts(accounts: Accounts) -> list[Receipt]:
    """The receipts of a case, by the entries of all its accounts."""
    cash: dict[str, list[Entry]] = defaultdict(list)
    lines: dict[str, list[Entry]] = defaultdict(list)
    voided = set()
    for entries in accounts.values():
        matched = {entry.refers_to: entry.receipt_number for entry in entries if entry.kind is Kind.MATCH}
        for entry in entries:
            number = entry.receipt_number
            if entry.kind in PAID:
                number = matched.get(entry.reference, number)
            if number is None:
                continue
            if entry.kind is Kind.CASH:
                cash[number].append(entry)
            elif entry.kind in PAID:
                lines[number].append(entry)
            elif entry.kind is Kind.CASH_VOIDED:
                voided.add(number)
    return [Receipt(number, tuple(cash[number]), tuple(lines[number]), number in voided) for number in sorted(cash)]


def open_cash(accounts: Accounts) -> dict[UUID, list[Entry]]:
    """The open cash of a case, by account."""
    found: dict[UUID, list[Entry]] = defaultdict(list)
    for receipt in receipts(accounts):
        for entry in receipt.open_cash():
            found[entry.account_id].append(entry)
    return found


@dataclass(frozen=True, slots=True)
class Owing:
    """An account that cash may go to: what it owes (minor units) and how late it is."""

    account_id: UUID
    account_ref: str
    owed_minor: int
    days_past_due: int


def allocate(amount_minor: int, accounts: Sequence[Owing]) -> list[tuple[UUID, int]]:
    """Cash goes to the most overdue account first, to each at most what it owes; the first takes what is left over.
    Raises ValueError where there is no account."""
    in_order = sorted(accounts, key=lambda each: (-each.days_past_due, each.account_ref))
    if not in_order:
        raise ValueError("cash needs an account")
    parts, left = {}, amount_minor
    for each in in_order:
        parts[each.account_id] = min(left, max(0, each.owed_minor))
        left -= parts[each.account_id]
    parts[in_order[0].account_id] += left
    return [(account_id, part) for account_id, part in parts.items() if part]
