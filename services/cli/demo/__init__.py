"""`doorstep demo`: the main job, from a lender's file to a verified trail, driven over HTTP from outside."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import Progress, TaskID

from services.audit.commands.trail import verify_with_progress
from services.cli.demo import report
from services.cli.demo.actors import Actor, Cast
from services.cli.demo.acts import Unexpected
from services.cli.demo.lives import FIRST_DAY, at
from services.cli.demo.portfolio import (
    SAMPLE_PROFILE,
    NotAPortfolio,
    Portfolio,
    load_profile,
    read_portfolios,
    write_sample,
)
from services.cli.demo.story import Story
from services.cli.demo.systems import System, distributed, embedded
from services.cli.processes import development_token
from shared import data_folder
from shared.auth import Role
from shared.cli.options import DataOption, JsonOption
from shared.cli.output import Exit, err, fail, out, print_json, progress
from shared.clock import monotonic_seconds

START = at(FIRST_DAY, 7)


class Mode(StrEnum):
    EMBEDDED = "embedded"
    DISTRIBUTED = "distributed"


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    feed: Annotated[Path | None, typer.Option(help="a lender's file; default: 500 made-up accounts")] = None,
    profile: Annotated[Path | None, typer.Option(help="the file's feed profile (YAML)")] = None,
    mode: Mode = Mode.EMBEDDED,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """The main job: accounts in, five days of visits, promises, payments, and the trail verified."""
    if (feed is None) != (profile is None):
        fail(Exit.USAGE, "--feed and --profile go together: the profile says what the columns of the file mean")
    for path in (feed, profile):
        if path is not None and not path.is_file():
            fail(Exit.MISSING, f"{path}: there is no such file")
    with tempfile.TemporaryDirectory(prefix="doorstep-demo-") as temporary:
        folder = (data or Path(temporary)).absolute()
        if data and (folder / "cases.sqlite3").exists():
            fail(Exit.USAGE, f"{data} holds the data of an earlier run: name an empty folder")
        data_folder.make(folder)
        try:
            portfolios = _portfolios(feed, profile, folder)
        except (NotAPortfolio, UnicodeDecodeError) as error:
            fail(Exit.USAGE, str(error))
        try:
            document = asyncio.run(_run(portfolios, mode, folder))
        except* Unexpected as unexpected:
            fail(Exit.WRONG, str(unexpected.exceptions[0]))
    if as_json:
        print_json(document)
    else:
        report.show(document)
        out.print(f"\n{report.closing_words(document)}", highlight=False)
    raise typer.Exit(Exit.DONE if document["reconciled"] else Exit.WRONG)


def _portfolios(feed: Path | None, profile: Path | None, folder: Path) -> list[Portfolio]:
    if feed is None or profile is None:
        feed, profile = folder / "sample.csv", SAMPLE_PROFILE
        write_sample(feed, FIRST_DAY)
    return read_portfolios(feed, load_profile(profile))


async def _run(portfolios: list[Portfolio], mode: Mode, folder: Path) -> dict[str, Any]:
    started = monotonic_seconds()
    start: AbstractAsyncContextManager[System] = (
        embedded(folder, START) if mode is Mode.EMBEDDED else distributed(folder, START)
    )
    err.print(f"Doorstep demo, {mode}: {sum(p.rows for p in portfolios):,} accounts of {len(portfolios)} lenders")
    async with start as system, _actors(system, portfolios) as cast:
        with progress() as bars:
            seen = await Story(cast, portfolios, _ticker(bars)).play()
        trail = await verify_with_progress(system.settings)
        return await report.collect(cast, seen, trail, mode=mode, seconds=monotonic_seconds() - started)


@asynccontextmanager
async def _actors(system: System, portfolios: list[Portfolio]) -> AsyncIterator[Cast]:
    """Everybody who takes part, with a token each."""
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(base_url=system.url, timeout=120, limits=limits) as client:

        def actor(role: Role, subject: str, lender: str = "") -> Actor:
            token = development_token(system.settings, role, subject=subject, lender=lender)
            return Actor(client, token, f"{role} {subject}")

        yield Cast(
            operator=actor(Role.ADMIN, "demo-admin"),
            supervisor=actor(Role.SUPERVISOR, "demo-supervisor"),
            officer=actor(Role.COMPLIANCE, "demo-officer"),
            lenders={p.lender_id: actor(Role.LENDER, f"demo-{p.lender_id}", p.lender_id) for p in portfolios},
            collector=lambda subject: actor(Role.COLLECTOR, subject),
        )


def _ticker(bars: Progress) -> Any:
    """Shows how far each step is."""
    tasks: dict[str, TaskID] = {}

    def tick(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step)
        bars.update(tasks[step], completed=done, total=total)

    return tick
