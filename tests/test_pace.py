"""A slow test that is not marked fails; a busy machine alone makes none fail."""

from types import SimpleNamespace

import pytest

from tests import pace
from tests.pace import Moment

START = Moment(100.0, 10.0, 50.0)


@pytest.mark.parametrize(
    ("clock", "computed", "short", "seconds"),
    [
        (1.0, 0.5, 0.0, 1.0),
        (10.0, 0.4, 9.5, 0.5),  # the machine was busy with others
        (10.0, 0.5, 0.0, 10.0),  # it waited for something
        (10.0, 4.0, 10.0, 2.0),  # it computes, however busy the machine is
        (10.0, 4.0, 11.0, 2.0),
        (10.0, 4.0, None, 4.0),
    ],
)
def test_a_busy_machine_adds_nothing(clock: float, computed: float, short: float | None, seconds: float) -> None:
    end = Moment(100.0 + clock, 10.0 + computed, None if short is None else 50.0 + short)
    assert end.since(START) == pytest.approx(seconds)


def test_the_clock_goes_on() -> None:
    start = pace.now()
    sum(range(200_000))
    end = pace.now()
    assert end.clock > start.clock
    assert end.computed >= start.computed
    assert (end.short is None) == (start.short is None)


@pytest.mark.parametrize(("seconds", "marked", "fails"), [(5.9, False, False), (6.1, False, True), (60.0, True, False)])
def test_what_is_slow_and_not_marked_fails(monkeypatch, seconds: float, marked: bool, fails: bool) -> None:
    moments = iter([START, Moment(START.clock + seconds, START.computed, START.short)])
    call = pace.pytest_runtest_call(SimpleNamespace(get_closest_marker=lambda _: marked or None))
    with monkeypatch.context() as patched:  # this test is measured, too
        patched.setattr(pace, "now", lambda: next(moments))
        patched.setattr(pace, "THOROUGH", False)
        next(call)
        with pytest.raises(pytest.fail.Exception if fails else StopIteration, match="mark it" if fails else None):
            call.send(None)
