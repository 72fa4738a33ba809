"""How long records are kept and by when things are answered, read from the packs."""

from datetime import date

import pytest

from shared.law import NoSuchPeriod, deadline_for, retention_for, shipped
from shared.law.dates import months_after

DAY = date(2026, 3, 2)


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
