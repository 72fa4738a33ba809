"""How long records are kept and by when things are answered, read from the packs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.law import HOUSE_CLASS, NoSuchPeriod, deadline_for, read_pack, retention_for, retention_of, shipped
from shared.law.dates import months_after
from shared.law.packs import PACKS

DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TW_RETENTION = b"""
  - id: tw-retain
    kind: retention
    effect: retain
    authority: law
    verified: primary
    source: A law of tests
    parameters: {years: 7, records: all}
    says: {en: Seven years., zh: "\xe4\xb8\x83\xe5\xb9\xb4\xe3\x80\x82"}
"""


@pytest.mark.parametrize(
    ("jurisdiction", "records", "rule", "years", "starts"),
    [
        ("tw", "card", "house-retain", 5, "record"),
        ("cn", "card", "cn-retain-card", 2, "record"),
        ("cn", "consumer-finance", "cn-retain-cfc", 5, "record"),
        ("cn", "impact-assessment", "cn-pipl-records", 3, "record"),
        ("cn", "all", "house-retain", 5, "record"),
        ("us-ma", "card", "us-retain", 3, "last-activity"),
        ("fr", "all", "house-retain", 5, "record"),
    ],
)
def test_the_law_names_the_period_or_else_the_house(jurisdiction, records, rule, years, starts):
    found = retention_for(shipped().packs_for(jurisdiction, DAY), records, DAY)
    assert (found.rule_id, found.years, found.starts) == (rule, years, starts)
    assert found.source


def test_the_last_day_on_which_records_are_kept():
    found = retention_for(shipped().packs_for("cn", DAY), "card", DAY)
    assert found.kept_until(date(2024, 2, 29)) == date(2026, 2, 28)


def test_the_earliest_deadline_counts_and_skips_days_off():
    due = deadline_for(shipped().packs_for("tw", DAY), "complaint", date(2026, 2, 13), country="TW")
    assert due.rule_id == "house-complaint"
    assert due.on == date(2026, 3, 16)  # the new year's holidays and 27 February do not count


def test_a_month_ends_with_the_month():
    due = deadline_for(shipped().packs_for("eu", DAY), "erasure", date(2028, 1, 31), country="FR")
    assert due.on == date(2028, 2, 29)
    assert months_after(date(2026, 12, 31), 2) == date(2027, 2, 28)


def test_what_no_pack_names_is_said():
    with pytest.raises(NoSuchPeriod, match="erasure"):
        deadline_for(shipped().packs_for("tw", DAY), "erasure", DAY, country="TW")
    with pytest.raises(NoSuchPeriod, match="card"):
        retention_for((), "card", DAY)


@dataclass
class Placed:
    """A case as far as its retention class asks."""

    jurisdiction: str
    country: str | None
    product: str | None
    region: str | None = None
    time_zone: str | None = None
    transferred: bool | None = None
    first_contact_at: datetime | None = None


CARD_CN, LOAN_CN = Placed("cn", "CN", "CREDIT_CARD"), Placed("cn", "CN", "CONSUMER_LOAN")
UNKNOWN_CN, IN_US, IN_TW = (
    Placed("cn", "CN", "PERSONAL_LOAN"),
    Placed("us", "US", "CREDIT_CARD"),
    Placed("tw", "TW", ""),
)


@pytest.mark.parametrize(
    ("cases", "rule"),
    [
        ([CARD_CN], "cn-retain-card"),
        ([LOAN_CN], "cn-retain-cfc"),
        ([UNKNOWN_CN], "house-retain"),  # in doubt the longest: five years, where a card has two
        ([IN_US], "us-retain"),
        ([Placed("us", "US", None, region="MA")], "us-retain"),
        ([IN_TW], "house-retain"),
        ([Placed("tw", "", "CREDIT_CARD")], "house-retain"),
        ([CARD_CN, IN_US], "us-retain"),
        ([IN_US, CARD_CN, IN_TW], "house-retain"),
    ],
)
def test_the_retention_class_of_cases_is_that_of_place_and_product_and_the_longest(cases, rule):
    assert retention_of(shipped(), cases, NOON).rule_id == rule


def test_of_two_periods_as_long_the_one_from_the_last_activity_counts():
    pack = read_pack("us.yaml", (PACKS / "us.yaml").read_bytes().replace(b"years: 3", b"years: 5"))
    law = shipped().with_version(pack, DAY)
    assert retention_of(law, [IN_TW, IN_US], NOON).rule_id == "us-retain"


def test_the_class_is_that_of_the_law_of_the_day_at_the_place():
    pack = read_pack("tw.yaml", (PACKS / "tw.yaml").read_bytes() + TW_RETENTION)
    law, zoned = shipped().with_version(pack, DAY), Placed("tw", "TW", "", time_zone="Asia/Taipei")
    midnight = datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert retention_of(law, [zoned], midnight).rule_id == "tw-retain"
    assert retention_of(law, [zoned], midnight - timedelta(seconds=1)).rule_id == "house-retain"


def test_the_house_has_the_class_that_records_of_no_case_have():
    assert retention_for(shipped().packs_for("house", DAY), "all", DAY).rule_id == HOUSE_CLASS
