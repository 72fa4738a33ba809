"""Two clocks. System time is never simulated (leases, tokens, retries, idempotency); business time can be
(visits, promises, holds). Domain code is given the time; it never asks for it.
"""

import time
from datetime import UTC, datetime


def system_now() -> datetime:
    """The real time, in UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Seconds for measuring how long something takes."""
    return time.monotonic()


def thread_seconds() -> float:
    """The processor's time that this thread has used: what others do meanwhile does not count."""
    return time.thread_time()
