"""`doorstep plan`: plans a day from a file, without servers, and says what the checker thinks of it."""

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from services.visits.routing.checker import errors_of
from services.visits.routing.day import DayInvalid, Effort
from services.visits.routing.instances import Instance, read_field, read_vrptw
from services.visits.routing.map import page_of
from services.visits.routing.planner import PlannerFailed, ProcessPlanner
from services.visits.routing.reasons import Planned
from shared.cli.options import JsonOption
from shared.cli.output import Exit, err, fail, out, print_json, progress
from shared.clock import monotonic_seconds


def register(app: typer.Typer) -> None:
    app.command("plan")(plan_day)


def plan_day(
    instance: Annotated[Path | None, typer.Option(help="a day of field visits, JSON")] = None,
    vrptw: Annotated[Path | None, typer.Option(help="a VRPTW file, CVRPLIB or Solomon form")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="how long to search")] = 5.0,
    iterations: Annotated[int | None, typer.Option(min=1, help="search so many steps instead: repeatable")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31)] = 1,
    html: Annotated[Path | None, typer.Option(help="write a map of the plan here")] = None,
    as_json: JsonOption = False,
) -> None:
    """Plan a day from a file; exit 1 where the checker finds something wrong."""
    if (instance is None) == (vrptw is None):
        fail(Exit.USAGE, "Name one file: --instance FILE for a day of field visits, or --vrptw FILE.")
    try:
        read = _read(instance, vrptw)
        _check_map(read, html)
        started = monotonic_seconds()
        planned = asyncio.run(_plan(read, Effort(seconds, iterations, seed)))
        report = _report(read, planned, monotonic_seconds() - started)
    except OSError as error:
        fail(Exit.MISSING, f"{instance or vrptw} cannot be read: {error.strerror}.")
    except DayInvalid as invalid:
        fail(Exit.WRONG, str(invalid))
    except PlannerFailed as failed:
        fail(Exit.WRONG, str(failed))
    if html is not None:
        _write_map(html, page_of(read, planned))
    print_json(report) if as_json else _show(report, planned, html)
    raise typer.Exit(Exit.DONE if report["checker"]["ok"] else Exit.WRONG)


def _read(instance: Path | None, vrptw: Path | None) -> Instance:
    return read_field(instance) if instance is not None else read_vrptw(vrptw or Path())


def _check_map(read: Instance, html: Path | None) -> None:
    """Before any work is done: whether there can be a map, and where it shall go."""
    if (0.0, 0.0) in read.positions and read.scale == 1:
        err.print("A position is 0,0, in the sea off Africa: is its real one not known?", style="yellow")
    if html is None:
        return
    if not read.positions:
        fail(Exit.USAGE, "A map needs positions: give the file `locs`, or leave --html out.")
    if html.is_dir() or not os.access(html.parent, os.W_OK):
        fail(Exit.MISSING, f"No map can be written to {html}: name a file in a folder that is there and yours.")


def _write_map(html: Path, page: str) -> None:
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        fail(Exit.MISSING, f"The map cannot be written to {html}: {error.strerror}.")


async def _plan(read: Instance, effort: Effort) -> Planned:
    """Plan, with a bar of the time that may be spent on standard error."""
    started = monotonic_seconds()
    with progress() as bars:
        bar = bars.add_task("planning", total=None if effort.iterations is not None else round(effort.seconds))

        async def count_seconds() -> None:
            while True:
                bars.update(bar, completed=int(monotonic_seconds() - started))
                await asyncio.sleep(0.2)

        def tell(cost: int) -> None:
            bars.update(bar, description=f"planning, cost {cost // read.scale:,}")

        clock = asyncio.create_task(count_seconds())
        try:
            return await ProcessPlanner().plan(read.day, effort, tell)
        finally:
            clock.cancel()


def _report(read: Instance, planned: Planned, seconds: float) -> dict[str, Any]:
    plan, scale = planned.plan, read.scale
    errors = errors_of(read.day, plan)
    report: dict[str, Any] = {
        "name": read.name,
        "cost": _scaled(plan.cost, scale),
        "travel": _scaled(plan.travel, scale),
        "prizes_lost": _scaled(plan.prizes_lost, scale),
        "seconds": round(seconds, 2),
        "solver": plan.solver,
        "routes": {route.team: [stop.door for stop in route.stops] for route in plan.routes},
        "rests": {route.team: list(route.rest) for route in plan.routes if route.rest},
        "left_out": [
            {"visit": each.door, "reason": each.reason.value, "en": each.sentence("en"), "zh": each.sentence("zh")}
            for each in planned.left_out
        ],
        "checker": {"ok": not errors, "errors": errors},
    }
    if read.best_known is not None and not errors:
        report["best_known"] = read.best_known
        report["gap_percent"] = round(100 * (plan.cost / scale - read.best_known) / read.best_known, 2)
    return report


def _scaled(value: int, scale: int) -> float | int:
    return value if scale == 1 else value / scale


def _show(report: dict[str, Any], planned: Planned, html: Path | None) -> None:
    say = partial(out.print, highlight=False, markup=False)  # an id may look like markup
    say(
        f"{report['name']}: cost {report['cost']:,}, of it travel {report['travel']:,} and prizes lost"
        f" {report['prizes_lost']:,}; {len(report['routes'])} teams, {report['seconds']} s",
    )
    if "gap_percent" in report:
        say(f"best known: {report['best_known']:,}; {report['gap_percent']} % above it")
    for team, visits in report["routes"].items():
        say(f"  team {team}: {' → '.join(visits)}")
    for each in planned.left_out:
        say(f"  left out {each.door}: {each.sentence('en')}")
    for error in report["checker"]["errors"]:
        say(f"  WRONG: {error}", style="red")
    say("The checker found nothing wrong." if report["checker"]["ok"] else "The checker rejects this plan.")
    if html is not None:
        say(f"The map is in {html}.")
