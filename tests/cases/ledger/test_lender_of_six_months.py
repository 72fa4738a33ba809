"""Plays a lender for six months: a book of its own, lines booked 0 to 3 days late, reversals, lines lost for a while or
sent twice, a file each month. In the end we owe what its book says, and what it planted is listed, nothing else.

The balances are those of the card holders of a public data set, where it lies beside the project; else they are drawn.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.cli.demo import acts
from shared.auth import Role
from tests.cases.conftest import System
from tests.cases.reports import register
from tests.searches import THOROUGH

DATA = Path(__file__).parents[4] / "shared/data/uci_default_credit_card_clients.csv"
ACCOUNTS, PLANTED = (30_000, 500) if THOROUGH else (1_000, 17)
FIRST, MONTHS, BATCH = date(2026, 3, 1), 6, 1_000


def balances(random: Random) -> list[int]:
    if not DATA.exists():
        return [random.randint(1, 300_000) for _ in range(ACCOUNTS)]
    with DATA.open() as file:
        billed = (int(Decimal(row["BILL_AMT1"])) for row in csv.DictReader(file))
        return [max(1, amount) for amount in islice(billed, ACCOUNTS)]


@dataclass
class Book:
    """The lender's own book: what each account was billed, and each change of it by its book day."""

    first: list[int]
    moves: dict[int, list[tuple[date, int]]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[date, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    planted: set[tuple[str, str]] = field(default_factory=set)

    def balance(self, account: int, day: date) -> int:
        return self.first[account] + sum(amount for posted, amount in self.moves[account] if posted <= day)

    def book(self, account: int, posted: date, amount: int, line: dict[str, Any] | None, reported: date) -> None:
        self.moves[account].append((posted, amount))
        if line is not None:
            self.lines[reported].append({"account_ref": f"A-{account}", "posted_on": str(posted), **line})


def line(reference: str, amount: int, value: date, **more: Any) -> dict[str, Any]:
    money = {"amount": str(amount), "currency": "TWD"}
    return {"reference": reference, "amount": money, "received_on": str(value), **more}


def lived(random: Random) -> Book:
    """Six months of the lender: about one payment an account and month."""
    book = Book(balances(random))
    unexplained = set(random.sample(range(ACCOUNTS), PLANTED))
    for account in range(ACCOUNTS):
        for month in range(MONTHS):
            value = FIRST + timedelta(days=30 * month + random.randint(1, 24))
            posted = value + timedelta(days=random.randint(0, 3))
            amount = random.randint(1, max(1, book.first[account] // 8))
            # A lost line is sent again with the lender's corrections, two weeks later; one in twenty comes twice.
            reported = posted + timedelta(days=14 if random.random() < 0.03 else random.randint(0, 2))
            name = f"P-{account}-{month}"
            paid = line(name, amount, value)
            book.book(account, posted, -amount, paid, reported)
            if random.random() < 0.05:
                book.lines[reported + timedelta(days=1)].append(book.lines[reported][-1])
            if random.random() < 0.02:
                back = posted + timedelta(days=random.randint(1, 9))
                more = {"kind": "REVERSAL", "reverses": name, "original_value_date": str(value)}
                book.book(account, back, amount, line(f"R-{account}-{month}", amount, value, **more), back)
        if account in unexplained:
            day = FIRST + timedelta(days=random.randint(1, 30 * (MONTHS - 1)))
            amount = random.choice([1, -1]) * random.randint(10_000_000, 90_000_000)  # no few lines make it
            book.book(account, day, amount, None, day)
            book.planted.add((f"A-{account}", str(amount)))
    return book


def file_of(book: Book, day: date) -> bytes:
    rows = (f"A-{account},D-{account},{book.balance(account, day)},60" for account in range(ACCOUNTS))
    return "\n".join(["account,debtor,balance,days", *rows, ""]).encode()


@pytest.mark.slow
@pytest.mark.search
async def test_the_books_are_the_lenders_after_six_months(system: System) -> None:
    book = lived(Random(16))
    await register(system)
    lender, sent = system.actor(Role.LENDER), 0
    await system.at(datetime(2026, 3, 2, 4, tzinfo=UTC))
    await system.take_in(file_of(book, FIRST), as_of=str(FIRST))
    for month in range(1, MONTHS + 1):
        begins, ends = FIRST + timedelta(days=30 * (month - 1)), FIRST + timedelta(days=30 * month)
        await system.at(datetime.combine(ends + timedelta(days=1), datetime.min.time(), UTC))
        lines = [each for day in sorted(book.lines) if begins <= day < ends for each in book.lines[day]]
        if month % 2:  # every other month the file comes before the last lines do
            await system.take_in(file_of(book, ends), as_of=str(ends))
        for start in range(0, len(lines), BATCH):
            answers = await lender.does(acts.report_payments(lines[start : start + BATCH]))
            assert {each["result"] for each in answers} <= {"ACCEPTED", "DUPLICATE", "PENDING"}
            sent += len(answers)
        if not month % 2:
            await system.take_in(file_of(book, ends), as_of=str(ends))
    end = FIRST + timedelta(days=30 * MONTHS + 40)
    await system.at(datetime.combine(end, datetime.min.time(), UTC))
    last = FIRST + timedelta(days=30 * MONTHS)
    rest = [each for day in sorted(book.lines) if day >= last for each in book.lines[day]]
    for start in range(0, len(rest), BATCH):
        await lender.does(acts.report_payments(rest[start : start + BATCH]))
    cases = await lender.does(acts.every("/cases/v1/cases"))
    found = {each["account_ref"]: each["balance"]["amount"] for case in cases for each in case["accounts"]}
    assert found == {f"A-{account}": str(book.balance(account, end)) for account in range(ACCOUNTS)}
    listed = await lender.does(acts.every("/cases/v1/differences"))
    assert {
        (each["account_ref"], item["amount"]["amount"]) for each in listed for item in each["items"]
    } == book.planted
    assert sent > 5 * ACCOUNTS
