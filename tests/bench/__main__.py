"""`make bench`: measure intake, events, trail, HTTP, the law and planning, each beside its floor in the same run, on a
PostgreSQL with fsync and a Kafka of one node; print a table and write it to docs/benchmarks.md."""

import asyncio
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from deploy.dev.kafka import VERSION as KAFKA
from deploy.dev.kafka import kafka
from deploy.dev.postgres import postgres
from deploy.dev.processes import ServerMissing
from shared.process import runner
from shared.telemetry import set_up_logging
from tests.bench import (
    events,
    http,
    idle,
    intake,
    law,
    outbox,
    planning,
    planning_http,
    promises,
    trail,
    trail_search,
    trail_verify,
)
from tests.bench.figures import REPETITIONS, Figure, share, spread
from tests.bench.stage import Stage

TABLE = Path(__file__).parents[2] / "docs/benchmarks.md"
PARTS = (intake, trail, trail_search, trail_verify, events, promises, outbox, http, law, planning, planning_http)
LIBRARIES = ("fastapi", "sqlalchemy", "asyncpg", "aiokafka", "uvicorn")


async def measure(stage: Stage, wanted: Sequence[str]) -> list[Figure]:
    figures = []
    idling = asyncio.create_task(idle.measure(stage)) if not wanted or "idle" in wanted else None
    for part in PARTS:
        if wanted and part.__name__.rpartition(".")[2] not in wanted:
            continue
        print(f"measuring {part.__name__.rpartition('.')[2]} …", file=sys.stderr)
        figures += await part.measure(stage)
    if idling:
        print(f"waiting for what is idle, {idle.IDLE_SECONDS // 60} minutes from the start …", file=sys.stderr)
        figures += await idling
    return figures


def table(figures: Sequence[Figure]) -> str:
    """The page: what was measured, where, and how far it is from its floors."""
    rows = ["| what | Doorstep | floor | against the floor |", "|---|---|---|---|"]
    for figure in figures:
        for name, floor in figure.floors.items():
            ours = f"{spread(figure.values)} {figure.unit}"
            rows.append(f"| {figure.name} | {ours} | {name}: {spread(floor)} {figure.unit} | {share(figure, floor)} |")
    notes = [f"- {figure.name}: {figure.note}" for figure in figures if figure.note]
    return "\n".join(["# Benchmarks\n", _where(), *rows, "", *notes, ""])


def _where() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    server = subprocess.run(["psql", "--version"], capture_output=True, text=True, check=False).stdout.split()[2:3]
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, PostgreSQL "
        f"{' '.join(server) or 'as found'} (fsync on), Kafka {KAFKA}, {libraries}. Client, servers and what is "
        f"measured share the cores. Each figure: median (least–greatest) of {REPETITIONS} repetitions; floors are "
        "measured in the same run. For rates the last column is the share of the floor that is reached, for times how "
        "many times as long it takes.\n"
    )


def main(*wanted: str) -> int:
    """All figures; or those of some parts (such as intake, law, idle), and then no page is written."""
    set_up_logging("ERROR")
    try:
        with (
            postgres(durable=True) as server,
            kafka() as broker,
            tempfile.TemporaryDirectory() as folder,
            runner() as running,  # as the services run
        ):
            figures = running.run(measure(Stage(server.server_url, broker.bootstrap, Path(folder)), wanted))
    except ServerMissing as missing:
        print(missing, file=sys.stderr)
        return 3
    page = table(figures)
    print(page)
    if wanted:
        return 0
    TABLE.write_text(page)
    print(f"Measured {len(figures)} figures; the table stands in {TABLE.parent.name}/{TABLE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
