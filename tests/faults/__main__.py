"""`make faults`: every fault again and again, on both transports, until at least 100 processes were killed; then a
table. Ends with 1 where the bus broke a promise. `python -m tests.faults trail` does the same to the trail.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.telemetry import set_up_logging
from tests.faults import trail
from tests.faults.scenarios import LONG, SCENARIOS, Scenario, Servers, embedded_world, servers

KILLS_MIN = 100
show = Console(width=110)
say = Console(stderr=True)


@dataclass(slots=True)
class Row:
    """What became of a fault on a transport."""

    runs: int = 0
    kills: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    differ: int = 0

    @property
    def kept(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.differ)


def main(*wanted: str) -> int:
    set_up_logging("CRITICAL")  # what goes wrong is wanted here, and counted
    return trail_faults() if wanted == ("trail",) else bus_faults()


def trail_faults() -> int:
    """Sequencers of the trail, killed and halted on both forms."""
    with servers() as running:
        shown, kept = trail.table(running, say.print)
    show.print(shown)
    return 0 if kept else 1


def bus_faults() -> int:
    rows: dict[tuple[str, str], Row] = {}
    with servers() as running, tempfile.TemporaryDirectory() as folder:
        once = [(scenario, transport) for scenario in [*SCENARIOS, *LONG] for transport in ("embedded", "kafka")]
        for scenario, transport in once:
            if scenario.suits(transport):
                run(rows, scenario, transport, running, Path(folder))
        again = [each for each in SCENARIOS if each.name.startswith("SIGKILL")]
        while sum(row.kills for row in rows.values()) < KILLS_MIN:
            for scenario in again:
                for transport in ("embedded", "kafka"):
                    run(rows, scenario, transport, running, Path(folder))
    show.print(table(rows))
    kept = all(row.kept for row in rows.values())
    kills, events = sum(row.kills for row in rows.values()), sum(row.events for row in rows.values())
    show.print(
        f"{kills} processes were killed over {events} events. "
        + ("Nothing was lost, doubled or swapped." if kept else "The bus BROKE its promise: see above."),
        soft_wrap=True,
    )
    return 0 if kept else 1


def run(rows: dict[tuple[str, str], Row], scenario: Scenario, transport: str, running: Servers, folder: Path) -> None:
    place = folder / f"{len(list(folder.iterdir()))}"
    place.mkdir()
    world = embedded_world(place) if transport == "embedded" else running.world(place)
    kills, found = scenario.run(world, running)
    row = rows.setdefault((scenario.name, transport), Row())
    row.runs, row.kills, row.events = row.runs + 1, row.kills + kills, row.events + found.committed
    row.lost, row.doubled = row.lost + len(found.lost), row.doubled + len(found.doubled)
    row.out_of_order += len(found.out_of_order)
    row.differ += len(found.projections) + len(found.invented)
    killed = sum(row.kills for row in rows.values())
    say.print(f"{scenario.name}, {transport}: {found.in_words()} ({killed} kills so far)", highlight=False)
    if not found.kept:
        say.print(str(found), style="red")


def table(rows: dict[tuple[str, str], Row]) -> Table:
    shown = Table("fault", "transport", "runs", "kills", "events", "lost", "doubled", "out of order", "differ")
    for (name, transport), row in rows.items():
        counts = (row.runs, row.kills, row.events, row.lost, row.doubled, row.out_of_order, row.differ)
        shown.add_row(name, transport, *map(str, counts), style="" if row.kept else "red")
    return shown


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
