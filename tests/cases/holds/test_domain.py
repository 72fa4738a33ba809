"""Holds as pure decisions: a command and the time come in, the new state and the event go out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.cases.holds.domain import Hold, PlaceHold, check_releasable, place, release
from services.cases.holds.tables import HoldRow
from shared.errors import Conflict, Invalid
from shared.events.cases import CaseHeld, CaseReleased
from shared.law import HoldReason, HoldScope

CASE, ID = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Taipei
EVENING = datetime(2026, 3, 2, 16, tzinfo=UTC)  # in Taipei it is the 3rd, at midnight


def command(review_on: date, reason=HoldReason.DISPUTE_PENDING, scope=HoldScope.VISIT) -> PlaceHold:
    return PlaceHold(CASE, reason, scope, review_on)


def placed(what: PlaceHold, now: datetime = NOON, zone: str = "Asia/Taipei") -> tuple[Hold, CaseHeld]:
    return place(what, hold_id=ID, actor="supervisor:s-1", time_zone=zone, now=now)


@pytest.mark.parametrize(
    ("now", "zone", "review_on", "is_placed"),
    [
        (NOON, "Asia/Taipei", date(2026, 3, 1), False),
        (NOON, "Asia/Taipei", date(2026, 3, 2), False),
        (NOON, "Asia/Taipei", date(2026, 3, 3), True),
        (EVENING, "Asia/Taipei", date(2026, 3, 3), False),
        (EVENING - timedelta(microseconds=1), "Asia/Taipei", date(2026, 3, 3), True),
        (EVENING, "America/New_York", date(2026, 3, 3), True),
        (NOON, "Asia/Taipei", date.max, True),
    ],
)
def test_a_hold_is_reviewed_after_the_debtors_today(now, zone, review_on, is_placed):
    if is_placed:
        assert placed(command(review_on), now, zone)[0].review_on == review_on
    else:
        with pytest.raises(Invalid, match="`review_on` must be after today"):
            placed(command(review_on), now, zone)


@pytest.mark.parametrize("reason", HoldReason)
@pytest.mark.parametrize("scope", HoldScope)
def test_state_and_event_say_the_same(reason, scope):
    hold, event = placed(command(date(2026, 4, 1), reason, scope))
    assert hold == Hold(ID, CASE, reason, scope, date(2026, 4, 1), "supervisor:s-1", NOON)
    assert event == CaseHeld(case_id=CASE, hold_id=ID, reason=reason, scope=scope, review_on=date(2026, 4, 1))


def test_a_release_ends_a_hold_and_changes_nothing_else():
    hold, _ = placed(command(date(2026, 4, 1)))
    ended, event = release(hold, actor="officer:o-1", now=EVENING)
    assert ended == replace(hold, released_by="officer:o-1", released_at=EVENING)
    assert event == CaseReleased(case_id=CASE, hold_id=ID, reason=hold.reason)
    assert hold.released_at is None


def test_a_hold_is_released_once():
    ended, _ = release(placed(command(date(2026, 4, 1)))[0], actor="officer:o-1", now=EVENING)
    with pytest.raises(Conflict) as refused:
        check_releasable(ended)
    assert refused.value.code == "hold-released"


def test_a_complaints_hold_ends_with_the_complaint():
    hold = replace(placed(command(date(2026, 4, 1)))[0], complaint_id=UUID(int=3))
    with pytest.raises(Conflict) as refused:
        check_releasable(hold)
    assert (refused.value.code, refused.value.fields) == ("complaint-open", {"complaint_id": str(UUID(int=3))})


def test_a_row_holds_the_whole_state():
    hold, _ = placed(command(date(2026, 4, 1)))
    row = HoldRow.of(hold)
    assert row.state == hold
    ended, _ = release(hold, actor="officer:o-1", now=EVENING)
    row.become(ended)
    assert row.state == ended
