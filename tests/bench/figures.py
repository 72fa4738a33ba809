"""What a measurement returns: the repetitions of a figure, and those of its floor, measured in the same run.

A floor is the least that the same work could cost on this machine with the same tools used bare.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `values` and each floor hold one number a repetition, in `unit`."""

    name: str
    unit: str
    values: Sequence[float]
    floors: dict[str, Sequence[float]]
    note: str = ""

    @property
    def less_is_better(self) -> bool:
        return self.unit in ("ms", "s")


def spread(values: Sequence[float]) -> str:
    """Median, with the least and the greatest in brackets."""
    low, middle, high = (_short(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low}–{high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def share(figure: Figure, floor: Sequence[float]) -> str:
    """How far from its floor: for rates the share that is reached, for times how many times as long it takes."""
    ratio = median(figure.values) / median(floor)
    return f"×{ratio:.1f}" if figure.less_is_better else f"{ratio:.0%}"


def percentile(values: Sequence[float], share_below: float) -> float:
    """The value that this share of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, round(share_below * (len(values) - 1)))]


async def rate(work: Callable[[], Awaitable[Any]], count: int) -> float:
    """How many a second, when `work` does `count`."""
    started = perf_counter()
    await work()
    return count / (perf_counter() - started)
