"""Plans a day in processes of its own, several seeds side by side where there are cores for them; the best plan wins.

`Planner` is what the rest of the project knows. Cancelling the call ends the processes, and so does our own death; a
process that dies is told as `PlannerFailed`, and the service lives on.
"""

import asyncio
import contextlib
import os
import re
import sys
from asyncio import StreamReader
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from services.visits.routing.checker import errors_of
from services.visits.routing.day import Day, Effort, Plan, check_day
from services.visits.routing.reasons import Planned
from services.visits.routing.worker import JOB, WORD, Job, Word

Progress = Callable[[int], object]

GRACE_SECONDS = 60.0
"""How much longer than its effort a process may take before it counts as hung."""
ENDING_SECONDS = 5.0
"""How long a process that has said its last word may take to end."""
LINE_BYTES_MAX = 16 * 1024 * 1024
_ERROR = re.compile(r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt))\b", re.MULTILINE)


class PlannerFailed(RuntimeError):
    """No plan came of it: the process died or hung, or what it made did not stand the check."""


class Planner(Protocol):
    async def plan(self, day: Day, effort: Effort, progress: Progress = ...) -> Planned:
        """A plan that the checker found nothing wrong with, but for required visits that fit nowhere. Raises
        DayInvalid for a day that makes no sense, PlannerFailed where no plan came of it."""
        ...

    def ahead(self, effort: Effort) -> AbstractAsyncContextManager["Planner"]:
        """For one plan, a planner that gets ready while its day is still being put together."""
        ...


class ProcessPlanner:
    """The planner in use. `processes`: how many seeds are tried at once; by default one for each core but one, and one
    alone where iterations are counted: such a plan is the same on every machine."""

    def __init__(self, processes: int | None = None, started: Sequence[Process] = ()) -> None:
        self._processes = processes
        self._started = list(started)

    def _count(self, effort: Effort) -> int:
        spare = max(1, (os.cpu_count() or 1) - 1)
        return self._processes or (spare if effort.iterations is None else 1)

    @asynccontextmanager
    async def ahead(self, effort: Effort) -> AsyncIterator[Planner]:
        """Its processes start now and import what they need; those that no plan came to use are ended."""
        started: list[Process] = []
        try:
            for _ in range(self._count(effort)):
                started.append(await _start())
            yield ProcessPlanner(self._processes, started)
        finally:
            for process in started:
                await _end(process)

    async def plan(self, day: Day, effort: Effort, progress: Progress = lambda cost: None) -> Planned:
        check_day(day)
        if not day.doors:
            return Planned(Plan((), (), 0, 0), ())
        best = _Best(progress)
        seeds = range(effort.seed, effort.seed + self._count(effort))
        answers = await asyncio.gather(
            *(self._run(Job(day, replace(effort, seed=seed)), best.told) for seed in seeds), return_exceptions=True
        )
        plans = [answer for answer in answers if isinstance(answer, Planned)]
        if not plans:
            raise next(answer for answer in answers if isinstance(answer, BaseException))
        planned = min(plans, key=lambda each: each.plan.cost)
        check(day, planned.plan)
        return planned

    async def _run(self, job: Job, progress: Progress) -> Planned:
        process = self._started.pop() if self._started and _listens(self._started[-1]) else await _start()
        try:
            async with asyncio.timeout(_patience(job.effort)):
                if planned := await _converse(process, job, progress):
                    return planned
                end = await asyncio.wait_for(_how_it_ended(process), ENDING_SECONDS)
        except TimeoutError as error:
            raise PlannerFailed(
                "The planner did not end in time; it was stopped. Ask for fewer visits at once."
            ) from error
        finally:
            await _end(process)
        raise PlannerFailed(f"The planner's process ended without a plan ({end}). Ask again.")


def check(day: Day, plan: Plan) -> None:
    """Hold a plan to its day, but for required visits that fit nowhere. Raises PlannerFailed with what is wrong."""
    missed = {f"visit {door.id} must be made and is not" for door in day.doors if door.required}
    errors = [error for error in errors_of(day, plan) if error not in missed]
    if errors:
        raise PlannerFailed(f"The plan did not stand the check: {'; '.join(errors[:5])}.")


class _Best:
    """Passes on a cost only if it is the best so far of all processes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._cost: int | None = None

    def told(self, cost: int) -> None:
        if self._cost is None or cost < self._cost:
            self._cost = cost
            self._progress(cost)


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.visits.routing.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        cwd=Path(__file__).parents[3],
    )


def _listens(process: Process) -> bool:
    """Whether it lives: one that died before it had a job is not missed."""
    return process.returncode is None and process.stdin is not None and not process.stdin.is_closing()


async def _end(process: Process) -> None:
    """End a process that has said its plan or that nobody waits for any more."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _patience(effort: Effort) -> float | None:
    return None if effort.iterations is not None else effort.seconds + GRACE_SECONDS


async def _converse(process: Process, job: Job, progress: Progress) -> Planned | None:
    """Hand the job over and listen until the plan comes, or the process ends without one. Its input stays open: that
    is how it knows that somebody still waits."""
    if process.stdin is None or process.stdout is None:
        raise PlannerFailed("The planner's process has no pipes.")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(JOB.dump_json(job) + b"\n")
        await process.stdin.drain()
    while word := await _next_word(process.stdout):
        if word.planned is not None:
            return word.planned
        if word.cost is not None:
            progress(word.cost)
    return None


async def _next_word(told: StreamReader) -> Word | None:
    """What the process says next; None where it ended, be it in the middle of a word."""
    try:
        line = await told.readline()
        return WORD.validate_json(line) if line.endswith(b"\n") else None
    except ValueError as error:
        raise PlannerFailed("The planner's process said what is no plan, or more than fits a line.") from error


async def _how_it_ended(process: Process) -> str:
    """The status of a process that is ending, and the kind of the error that it told last: only the kind, for an
    error's own words may hold what the day holds."""
    told = await process.stderr.read() if process.stderr is not None else b""
    errors = _ERROR.findall(told.decode(errors="replace"))
    status = f"status {await process.wait()}"
    return f"{errors[-1]}, {status}" if errors else status
