"""The process that plans: one day as a line of JSON on standard input, lines of JSON on standard output: each better
cost, then the plan. It is a process of its own so that it can be ended at any moment, and so that its crash is only an
answer; it ends by itself when standard input closes, for then nobody waits for its plan any more.

`python -m services.visits.routing.worker`, started by services.visits.routing.planner.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from threading import Thread

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from services.visits.routing.day import Day, Effort, Plan
from services.visits.routing.insertion import plan_by_insertion
from services.visits.routing.reasons import Planned, explained, impossible, without


@dataclass(frozen=True)
class Job:
    day: Day
    effort: Effort


@dataclass(frozen=True)
class Word:
    """A line of the worker's: the cost of a better plan, or the plan, explained, that ends its work."""

    cost: int | None = None
    planned: Planned | None = None


JOB, WORD = TypeAdapter(Job), TypeAdapter(Word)


def main() -> None:
    make_plan = _planner()  # before the day comes: a process that was started ahead has its imports behind it
    told = sys.stdin.buffer.readline()
    if not told:
        return  # nobody needs it after all
    Thread(target=_end_when_nobody_waits, daemon=True).start()
    job = JOB.validate_json(told)
    before = impossible(job.day)
    plan = make_plan(without(job.day, before), job.effort, lambda cost: _say(Word(cost=cost)))
    _say(Word(planned=explained(job.day, plan, before)))


def _end_when_nobody_waits() -> None:
    """Whoever asked holds our standard input open until it has its plan; the system closes it when they are killed."""
    with contextlib.suppress(OSError):
        os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _say(word: Word) -> None:
    sys.stdout.buffer.write(WORD.dump_json(word) + b"\n")
    sys.stdout.buffer.flush()


def _planner() -> Callable[[Day, Effort, Callable[[int], object]], Plan]:
    """The solver, or plain insertion where its wheel is missing."""
    try:
        from services.visits.routing.solver import plan_by_solver
    except ImportError:
        return lambda day, effort, _progress: plan_by_insertion(day, effort)
    return plan_by_solver


if __name__ == "__main__":
    main()
