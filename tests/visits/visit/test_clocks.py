"""The time of an act, out of what the phone said and when its report arrived."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.visits.visit.clocks import TOLERANCE, WORDS, EntryReason, Receipt, TimeFlag, read, read_all
from shared.errors import Invalid

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
IN_1970 = datetime(1970, 1, 1, tzinfo=UTC)
CORRECTED, LATER, LATE, BEFORE, INHERITED = (
    TimeFlag.CLOCK_CORRECTED,
    TimeFlag.LATER_THAN_RECEIPT,
    TimeFlag.LATE_REPORT,
    TimeFlag.BEFORE_PREVIOUS_STEP,
    TimeFlag.CLOCK_OF_CHECK_IN,
)


@pytest.mark.parametrize(
    ("said", "error", "at", "flags"),
    [
        # a sound phone, and delays of the network
        (NOW, None, NOW, set()),
        (NOW, timedelta(0), NOW, set()),
        (NOW + TOLERANCE, TOLERANCE, NOW + TOLERANCE, set()),
        (NOW - TOLERANCE, -TOLERANCE, NOW - TOLERANCE, set()),
        # a clock that is wrong, and says so
        (NOW + TOLERANCE + SECOND, TOLERANCE + SECOND, NOW, {CORRECTED}),
        (NOW - 3 * HOUR, -3 * HOUR, NOW, {CORRECTED}),
        (NOW + DAY, DAY, NOW, {CORRECTED}),
        (IN_1970, IN_1970 - NOW, NOW, {CORRECTED}),
        (datetime(2199, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC) - NOW, NOW, {CORRECTED}),
        # an act of hours ago, sent when there is a network again: the clock at the time of sending counts
        (NOW - 5 * HOUR, timedelta(0), NOW - 5 * HOUR, {LATE}),
        (NOW - 8 * HOUR, -3 * HOUR, NOW - 5 * HOUR, {CORRECTED, LATE}),
        (NOW - 7 * DAY, None, NOW - 7 * DAY, {LATE}),
        # later than its own arrival
        (NOW + TOLERANCE + SECOND, None, NOW, {LATER}),
        (NOW + timedelta(minutes=15), None, NOW, {LATER}),
        (NOW + DAY + timedelta(minutes=5), DAY, NOW, {CORRECTED, LATER}),
    ],
)
def test_a_phones_time_is_corrected_by_the_error_that_it_shows(said, error, at, flags):
    found = read(said, Receipt(NOW, error))
    assert (found.said, found.at, found.flags) == (said, at, flags)


@pytest.mark.parametrize(
    ("said", "error", "code", "remedy"),
    [
        (NOW + timedelta(minutes=15, seconds=1), None, "time-in-future", "device_now"),
        (NOW - 7 * DAY - SECOND, None, "time-too-old", "device_now"),
        (IN_1970, None, "time-too-old", "device_now"),
        (IN_1970, timedelta(0), "time-too-old", "supervisor"),  # the clock was set right before the report was sent
        (NOW + DAY, timedelta(0), "time-in-future", "supervisor"),
    ],
)
def test_a_time_that_cannot_be_true_is_refused_with_the_remedy(said, error, code, remedy):
    with pytest.raises(Invalid) as refused:
        read(said, Receipt(NOW, error))
    assert refused.value.code == code
    assert remedy in refused.value.detail
    assert str(said.year) not in refused.value.detail


@pytest.mark.parametrize(
    ("said", "error", "at", "flags"),
    [
        (NOW - 3 * HOUR, -3 * HOUR, NOW, {INHERITED}),
        (NOW, -3 * HOUR, NOW, set()),  # corrected it would lie in the future: the clock was set right meanwhile
        (NOW, DAY, NOW, set()),  # corrected it would lie before the check-in
        (NOW - SECOND, timedelta(seconds=5), NOW - SECOND, set()),
    ],
)
def test_the_error_of_the_check_in_counts_where_it_makes_sense(said, error, at, flags):
    found = read(said, Receipt(NOW, error, inherited=True, previous_step=NOW - timedelta(minutes=20)))
    assert (found.at, found.flags) == (at, flags)


def test_a_time_before_the_previous_step_is_flagged():
    receipt = Receipt(NOW, previous_step=NOW - timedelta(minutes=10))
    assert read(NOW - timedelta(minutes=20), receipt).flags == {BEFORE}
    assert read(NOW - timedelta(minutes=11), receipt).flags == set()


@pytest.mark.parametrize(("said", "at"), [(NOW - 30 * DAY, NOW - 30 * DAY), (NOW, NOW), (NOW + SECOND, NOW)])
def test_a_supervisor_enters_what_no_phone_can_report(said, at):
    receipt = Receipt(NOW, error=DAY, entry_reason=EntryReason.PHONE_LOST, day=date(2026, 1, 30))
    found = read(said, receipt)
    assert (found.at, found.flags) == (at, {TimeFlag.ENTERED_BY_SUPERVISOR})


def test_what_a_supervisor_enters_is_held_to_the_order_of_steps():
    receipt = Receipt(NOW, entry_reason=EntryReason.OTHER, day=NOW.date(), previous_step=NOW - HOUR)
    assert read(NOW - 2 * HOUR, receipt).flags == {TimeFlag.ENTERED_BY_SUPERVISOR, BEFORE}


@pytest.mark.parametrize(
    ("said", "code"),
    [(NOW + 2 * TOLERANCE, "time-in-future"), (NOW - 2 * DAY, "time-before-visit"), (IN_1970, "time-before-visit")],
)
def test_a_supervisor_enters_neither_the_future_nor_another_year(said, code):
    with pytest.raises(Invalid) as refused:
        read(said, Receipt(NOW, entry_reason=EntryReason.OTHER, day=NOW.date()))
    assert refused.value.code == code


def test_times_that_were_not_sent_are_left_out():
    assert read_all({"ended_at": NOW, "left_at": None}, Receipt(NOW)).keys() == {"ended_at"}


def test_every_flag_has_words():
    assert WORDS.keys() == set(TimeFlag)
