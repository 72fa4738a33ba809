"""A test that takes more than SECONDS_MAX is marked `slow`, or it fails. `make test-fast` leaves marked tests out.

The seconds of its call count, and not those that a busy machine adds: the greater of what this process and its ended
children computed, and of the clock less the time in which the machine was short of a core (Linux's pressure stall
information). Where the machine does not report that time, only what was computed counts.
"""

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.searches import THOROUGH

SECONDS_MAX = 2.0
# Disks, caches and servers are shared, too, and what waits for them is on no clock of ours: the same test takes up to
# three times as long beside others as alone, and does not fail now and then.
MEASURED_MAX = 3 * SECONDS_MAX
PRESSURE = Path("/proc/pressure/cpu")


@dataclass(frozen=True, slots=True)
class Moment:
    """The clock, what was computed until then, and how long the machine was short of a core (None: unknown), in
    seconds."""

    clock: float
    computed: float
    short: float | None

    def since(self, start: "Moment") -> float:
        """The seconds since a moment that count."""
        computed, clock = self.computed - start.computed, self.clock - start.clock
        if self.short is None or start.short is None:
            return computed
        short = min(clock, self.short - start.short)
        # Who shares a core computes slower, too: up to twice.
        return max(computed / (1 + short / clock), clock - short)


def now() -> Moment:
    used = os.times()
    return Moment(time.monotonic(), sum(used[:4]), _short())


def _short() -> float | None:
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except OSError:
        return None
    return int(some.rpartition("total=")[2]) / 1_000_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    start = now()
    result = yield
    seconds = now().since(start)
    if seconds > MEASURED_MAX and not THOROUGH and item.get_closest_marker("slow") is None:
        pytest.fail(
            f"This test took {seconds:.1f} s, and {SECONDS_MAX:.0f} s are the most: make it faster, "
            "or mark it with pytest.mark.slow.",
            pytrace=False,
        )
    return result
