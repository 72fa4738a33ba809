"""When a team may read whom it visits: by the debtor's clock, and by the holds that the law of the place knows."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.law import (
    EVENING_BEFORE,
    Facts,
    HoldFacts,
    HoldReason,
    HoldScope,
    VisitPurpose,
    is_field_day,
    is_open_to_the_team,
    shipped,
)

DAY = date(2026, 3, 3)


@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-03-02T00:00", False),
        ("2026-03-02T16:59:59", False),
        ("2026-03-02T17:00", True),
        ("2026-03-03T00:00", True),
        ("2026-03-03T23:59:59", True),
        ("2026-03-04T00:00", False),
        ("2026-12-03T12:00", False),
    ],
)
def test_the_day_and_the_evening_before(local, expected, zone):
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    assert is_field_day(DAY, now.astimezone(UTC), zone) is expected


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_a_day_on_which_the_clocks_change_is_whole(day):
    zone = ZoneInfo("America/New_York")
    evening = datetime.combine(day - timedelta(days=1), EVENING_BEFORE, zone)
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
    second = timedelta(seconds=1)
    assert [
        is_field_day(day, moment.astimezone(UTC), str(zone))
        for moment in (evening.astimezone(UTC) - second, evening, midnight.astimezone(UTC) - second, midnight)
    ] == [False, True, True, False]


@pytest.mark.parametrize(
    ("jurisdiction", "reason", "scope", "purpose", "consents", "expected"),
    [
        ("tw", None, None, "DEMAND", {}, True),
        ("tw", "DISPUTE_PENDING", "all", "DEMAND", {}, False),
        ("tw", "DISPUTE_PENDING", "visit", "DEMAND", {}, False),
        ("tw", "DISPUTE_PENDING", "call", "DEMAND", {}, True),
        ("tw", "PROMISE_ACTIVE", "visit", "DEMAND", {}, False),
        ("tw", "PROMISE_ACTIVE", "visit", "AGREED_REVISIT", {}, True),
        ("uk", "VULNERABLE_CUSTOMER", "call", "DEMAND", {}, False),
        ("uk", "DISPUTE_PENDING", "call", "DEMAND", {}, False),
        ("uk", "DISPUTE_PENDING", "call", "DEMAND", {"DISPUTE_VISIT": "c-1"}, True),
        ("zz", "DECEASED", "all", "DEMAND", {}, False),
    ],
)
def test_a_hold_that_stops_the_visit_closes_it(jurisdiction, reason, scope, purpose, consents, expected):
    held = (HoldFacts(reason=HoldReason(reason), scope=HoldScope(scope)),) if reason else ()
    facts = Facts(
        jurisdiction=jurisdiction,
        at=datetime(2026, 3, 3, 4, tzinfo=UTC),
        time_zone="Asia/Taipei",
        purpose=VisitPurpose(purpose),
        holds=held,
        consents=consents,
    )
    assert is_open_to_the_team(DAY, shipped().packs_of(facts), facts) is expected
