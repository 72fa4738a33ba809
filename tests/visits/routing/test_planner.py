"""The planner's process: ended cleanly, its death told clearly, and nonsense refused at once."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest

from services.visits.routing import planner
from services.visits.routing.day import Day, DayInvalid, Door, Effort, Rest, Team
from services.visits.routing.planner import PlannerFailed, ProcessPlanner
from services.visits.routing.reasons import Reason
from tests.visits.routing.days import HOUR, SHIFT, day_of, table

REFUSED = {
    "no teams": (lambda day: replace(day, teams=()), "no-teams", "name at least one"),
    "a window reversed": (
        lambda day: replace(day, doors=(replace(day.doors[0], windows=((HOUR, 0),)),)),
        "window-reversed",
        "visit d001",
    ),
    "a shift reversed": (lambda day: replace(day, teams=(Team("t", 0, 0, (9, 3)),)), "shift-reversed", "team t"),
    "a break longer than the shift": (
        lambda day: replace(day, teams=(Team("t", 0, 0, (0, HOUR), rest=Rest(0, 9 * HOUR, 2 * HOUR)),)),
        "break-too-long",
        "team t",
    ),
    "a break that does not fit": (
        lambda day: replace(day, teams=(Team("t", 0, 0, SHIFT, rest=Rest(10 * HOUR, 10 * HOUR + 60, 600)),)),
        "break-does-not-fit",
        "team t",
    ),
    "a break after the shift": (
        lambda day: replace(day, teams=(Team("t", 0, 0, SHIFT, rest=Rest(SHIFT[1], SHIFT[1] + HOUR, 600)),)),
        "break-does-not-fit",
        "into its shift",
    ),
    "a break that would begin before the shift": (
        lambda day: replace(day, teams=(Team("t", 0, 0, SHIFT, rest=Rest(0, SHIFT[0] + 599, 600)),)),
        "break-does-not-fit",
        "into its shift",
    ),
    "100,000 visits": (
        lambda day: replace(day, doors=tuple(Door(str(n), 0, (SHIFT,), 60) for n in range(100_000))),
        "too-many",
        "split the area into 50",
    ),
    "a visit twice": (lambda day: replace(day, doors=(day.doors[0], day.doors[0])), "visit-twice", "d001"),
    "an unknown place": (lambda day: replace(day, doors=(replace(day.doors[0], place=99),)), "unknown-place", "d001"),
    "a negative prize": (lambda day: replace(day, doors=(replace(day.doors[0], prize=-1),)), "negative", "d001"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_nonsense_is_refused_at_once_and_named(name):
    make, code, words = REFUSED[name]
    day = make(day_of(5, 1))
    started = perf_counter()
    with pytest.raises(DayInvalid) as refused:
        await ProcessPlanner().plan(day, Effort(5))
    assert perf_counter() - started < 0.1
    assert refused.value.code == code
    assert words in str(refused.value)


async def test_a_day_without_visits_is_an_empty_plan_at_once():
    started = perf_counter()
    planned = await ProcessPlanner().plan(replace(day_of(1, 2), doors=()), Effort(5))
    assert perf_counter() - started < 0.1
    assert (planned.plan.routes, planned.left_out) == ((), ())


async def test_a_plan_comes_from_a_process_with_progress_on_the_way():
    costs = []
    planned = await ProcessPlanner(processes=2).plan(day_of(40, 3), Effort(iterations=300), costs.append)
    assert planned.plan.solver == "pyvrp"
    assert costs == sorted(costs, reverse=True)
    assert costs
    assert planned.plan.cost <= costs[-1]


async def test_visits_that_nobody_may_make_need_no_solver():
    day = Day((Team("t", 0, 0, SHIFT),), (Door("x", 0, (SHIFT,), 60, teams=frozenset()),), table([(0, 0)]))
    planned = await ProcessPlanner().plan(day, Effort(5))
    assert [each.reason for each in planned.left_out] == [Reason.NO_TEAM]


def children(of: int | None = None) -> set[str]:
    """The planners among the children of a process, by default of this one: their ids."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if "services.visits.routing.worker" in line and int(parent) == (of or os.getpid()):
            found.add(folder.name)
    return found


async def wait_for_children(count: int) -> set[str]:
    async with asyncio.timeout(20):
        while len(children()) != count:
            await asyncio.sleep(0.02)
    return children()


async def test_a_cancelled_plan_leaves_no_process_behind():
    task = asyncio.create_task(ProcessPlanner(processes=2).plan(day_of(100, 5), Effort(30)))
    await wait_for_children(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()


async def test_a_process_that_is_killed_is_an_answer():
    task = asyncio.create_task(ProcessPlanner(processes=1).plan(day_of(100, 5), Effort(30)))
    (pid,) = await wait_for_children(1)
    os.kill(int(pid), 9)
    with pytest.raises(PlannerFailed, match="status -9"):
        await task


async def test_a_planner_that_was_started_ahead_is_ready_and_ended_when_it_is_not_needed():
    async with ProcessPlanner(processes=2).ahead(Effort()) as planner:
        before = await wait_for_children(2)
        planned = await planner.plan(day_of(10, 2), Effort(iterations=20))
        assert planned.plan.solver == "pyvrp"
    assert not children() & before


async def test_a_process_that_died_before_it_had_a_job_is_not_missed():
    async with ProcessPlanner(processes=1).ahead(Effort()) as planner:
        (pid,) = await wait_for_children(1)
        os.kill(int(pid), 9)
        await planner._started[0].wait()
        assert (await planner.plan(day_of(10, 2), Effort(iterations=20))).plan.solver == "pyvrp"


BROKEN = {
    "it dies in the middle of its last word": ('printf \'{"planned": {"plan"\'; kill -9 $$', "status -9"),
    "it says what nobody understands": ("echo '{\"planned\": 7}'; exec sleep 60", "no plan"),
    "it says more than fits a line": ("head -c 3000 /dev/zero; echo; exec sleep 60", "more than fits a line"),
    "it tells the kind of its error, and no more of it": (
        "echo 'ValueError: earlier' >&2; echo 'numpy.exceptions.MemoryError: Ms Lin, 5 Oak Lane' >&2; exit 1",
        r"\(numpy\.exceptions\.MemoryError, status 1\)",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_whatever_the_process_says_its_failure_is_an_answer(name, tmp_path, monkeypatch):
    script, words = BROKEN[name]
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nread -r job\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(planner, "LINE_BYTES_MAX", 1_000)
    with pytest.raises(PlannerFailed, match=words):
        await ProcessPlanner(processes=1).plan(day_of(3, 1), Effort(5))


ENDLESS = """
import asyncio
from services.visits.routing.day import Effort
from services.visits.routing.planner import ProcessPlanner
from tests.visits.routing.days import day_of
asyncio.run(ProcessPlanner(1).plan(day_of(60, 4), Effort(iterations=5_000_000), lambda cost: print(cost, flush=True)))
"""


def test_no_process_outlives_the_one_that_asked():
    asking = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE)
    try:
        assert asking.stdout is not None
        assert asking.stdout.readline(), "it is at work"
        (pid,) = children(of=asking.pid)
    finally:
        asking.kill()
        asking.communicate()
    gone_by = time.monotonic() + 2
    while lives(pid) and time.monotonic() < gone_by:
        time.sleep(0.02)
    outlived = lives(pid)
    if outlived:
        os.kill(int(pid), 9)
    assert not outlived


def lives(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
