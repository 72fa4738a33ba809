"""The accounts that the demo plays with: a portfolio made by Faker, always the same, or a real file of a lender.

A real file has no names, phones or ids: the driver makes some up. What a debtor really did afterwards (the outcome
column) stays with the driver, which plays the debtors; the services never see it.
"""

import csv
import io
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from faker import Faker

from shared.plain_yaml import NotPlain, read_plain

SEED = 20260302
SAMPLE_ACCOUNTS = 500
SAMPLE_PROFILE = Path(__file__).with_name("sample.yaml")
MADE_UP = ("name", "national_id", "phone")

# Street positions for made-up debtors scatter around the centres of six districts of Taipei (degrees).
_DISTRICTS = {
    "中正區": (25.0324, 121.5199),
    "大安區": (25.0263, 121.5434),
    "信義區": (25.0306, 121.5709),
    "中山區": (25.0640, 121.5330),
    "士林區": (25.0925, 121.5245),
    "文山區": (24.9897, 121.5733),
}


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What one lender sends, and what the driver alone knows: who will pay (by account_ref)."""

    lender_id: str
    lender_name: str
    profile: dict[str, Any]
    csv: bytes
    pays: dict[str, bool]
    rows: int


class NotAPortfolio(Exception):
    """The feed or its profile cannot be played; the message says what to change."""


def load_profile(path: Path) -> dict[str, Any]:
    try:
        document = read_plain(path.read_bytes())
    except NotPlain as error:
        raise NotAPortfolio(f"{path.name}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("columns"), dict):
        raise NotAPortfolio(f"{path.name}: a profile is a YAML document with a section columns")
    return document


def read_portfolios(feed: Path, profile: dict[str, Any]) -> list[Portfolio]:
    """Split a feed by its lenders and add what a real feed withholds. The profile's section `driver` says how."""
    driver = profile.get("driver", {})
    with feed.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    reference = profile["columns"].get("account_ref")
    for name in (driver.get("split_by"), driver.get("outcome"), reference):
        if not rows or name not in rows[0]:
            raise NotAPortfolio(f"{feed.name} has no column {name!r}, which the profile names")
    by_lender: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_lender.setdefault(row[driver["split_by"]], []).append(row)
    people = _People()
    return [_portfolio(name, by_lender[name], profile, people) for name in sorted(by_lender)]


def _portfolio(name: str, rows: list[dict[str, str]], profile: dict[str, Any], people: "_People") -> Portfolio:
    driver = profile["driver"]
    reference = profile["columns"]["account_ref"]
    pays = {row[reference]: row.pop(driver["outcome"]) == str(driver["outcome_paid"]) for row in rows}
    for row in rows:
        row.update({column: value for column, value in people.make_up().items() if not row.get(column)})
    own = {key: value for key, value in profile.items() if key != "driver"}
    if name in driver.get("without_notice", []):
        own.pop("notice", None)
    lender_id = driver.get("lender_ids", {}).get(name) or name.lower().replace("_", "-")
    return Portfolio(lender_id, driver.get("lender_names", {}).get(name, name), own, _csv(rows), pays, len(rows))


def _csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


class _People:
    """Names, ids and phones that look real and belong to nobody."""

    def __init__(self) -> None:
        self._zh, self._en = Faker("zh_TW"), Faker("en_US")
        self._random = random.Random(SEED)  # noqa: S311 - a repeatable demo, no secret
        for fake in (self._zh, self._en):
            fake.seed_instance(SEED)

    def make_up(self) -> dict[str, str]:
        fake = self._zh if self._random.random() < 0.85 else self._en
        return {
            "name": fake.name(),
            "national_id": taiwan_id(self._random.randrange(1, 3), self._random.randrange(10_000_000)),
            "phone": f"+8869{self._random.randrange(10_000_000, 99_999_999)}",
        }


def taiwan_id(sex: int, number: int) -> str:
    """A national id of Taiwan with a right check digit (letter A, whose code is 10)."""
    digits = [1, 0, sex, *(int(digit) for digit in f"{number:07d}")]
    weights = [1, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    check = -sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 10
    return f"A{sex}{number:07d}{check}"


def sample_feed(today: date) -> Iterable[dict[str, str]]:
    """500 accounts of two lenders: most sound, some that an importer must refuse."""
    rng = random.Random(SEED)  # noqa: S311 - a repeatable demo, no secret
    for number in range(SAMPLE_ACCOUNTS):
        district, (latitude, longitude) = rng.choice(list(_DISTRICTS.items()))
        days = rng.choice([12, 25, 38, 45, 52, 66, 75, 95, 130, 200])
        balance = Decimal(rng.randrange(3_000, 260_000))
        if number % 50 == 7:
            balance = Decimal(0)
        yield {
            "account_ref": f"DEMO{number:05d}",
            "lender": "NORTH" if number % 2 else "SOUTH",
            "language": "zh" if rng.random() < 0.85 else "en",
            "product": rng.choice(["CREDIT_CARD", "CREDIT_CARD", "PERSONAL_LOAN"]),
            "days_past_due": str(days),
            "balance": str(balance) if number % 125 != 11 else "12,3x",
            "currency": "TWD" if number % 200 != 13 else "XYZ",
            "last_payment": (today - timedelta(days=days + 20)).isoformat() if number % 250 != 17 else "2999-01-01",
            "district": district,
            "address": f"範例路{rng.randrange(1, 300)}號",
            "latitude": f"{latitude + rng.uniform(-0.012, 0.012):.5f}",
            "longitude": f"{longitude + rng.uniform(-0.012, 0.012):.5f}",
            "country": "TW",
            "outcome": "PAID" if rng.random() < 0.55 else "NOT_PAID",
        }


def write_sample(path: Path, today: date) -> None:
    """Write the sample feed as a lender would send it."""
    rows = list(sample_feed(today))
    path.write_bytes(_csv(rows))
