"""Search in the trail: by case with its verdict, and entries by subject, in logs of 10,000 and 1,000,000 entries. The
smaller log is the floor of the larger: both are asked in turn, so that what else the machine does touches both alike.

`python -m tests.bench.trail_search` does the same on SQLite, prints the ratio and writes no page.
"""

import asyncio
import json
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from services.audit.search import queries
from services.audit.search.domain import Search
from services.audit.search.verdict import verdict_of
from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from shared import migrations
from shared.database import Transaction
from shared.ids import new_id
from shared.runtime import Runtime
from shared.settings import Settings
from tests.bench.figures import REPETITIONS, Figure, percentile
from tests.bench.stage import Stage, connect

SIZES = (10_000, 1_000_000)
ENTRIES_A_CASE = 20
COLLECTORS = 50
SEARCHES = 200
LOG = "lender-1"
AT_ONCE = 20_000
Rows = dict[str, list[dict[str, Any]]]


class MadeUp:
    """A log of a size, made up row by row: each case has its 20 entries, far apart, one collector in each; every leaf
    names its subjects with number and chain, as the sequencer writes them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.cases = [new_id() for _ in range(size // ENTRIES_A_CASE)]
        self.collectors = [new_id() for _ in range(COLLECTORS)]
        self._heads: dict[str, tuple[int, str | None]] = {}

    def batches(self) -> Iterator[Rows]:
        for first in range(0, self.size, AT_ONCE):
            rows: Rows = {"entry": [], "entry_subject": []}
            for index in range(first, min(first + AT_ONCE, self.size)):
                self._add(rows, index)
            yield rows
        heads = [
            {"log_id": LOG, "ref": ref, "n": n, "prev": bytes.fromhex(prev or "")}
            for ref, (n, prev) in self._heads.items()
        ]
        head = {"log_id": LOG, "size": self.size, "root": bytes(32), "frontier": b""}
        yield {"subject_head": heads, "head": [head]}

    def _add(self, rows: Rows, index: int) -> None:
        round_, place = divmod(index, len(self.cases))
        case, event_id = self.cases[place], str(new_id())
        refs = (f"case:{case}", f"collector:{self.collectors[index % COLLECTORS]}")
        before = {ref: self._heads.get(ref, (0, None)) for ref in refs}
        subjects = [{"ref": ref, "n": n + 1, "prev": prev} for ref, (n, prev) in before.items()]
        at = f"2026-03-02T{index // 3600 % 24:02}:{index // 60 % 60:02}:{index % 60:02}.{index:06}Z"
        kind = f"doorstep.cases.case-{('updated', 'held', 'released')[index % 3]}.v1"
        leaf = {
            "actor": {"kind": "supervisor", "ref": "s-1"},
            "aggregate": {"id": str(case), "version": round_ + 1},
            "correlationId": event_id,
            "data": {"case_id": str(case), "padding": "x" * 300},
            "eventId": event_id,
            "log": LOG,
            "occurredAt": at,
            "source": {"offset": index, "partition": 0, "topic": "cases.case.v1"},
            "subjects": subjects,
            "type": kind,
        }
        leaf_bytes = json.dumps(leaf, separators=(",", ":")).encode()
        digest = sha256(b"\0" + leaf_bytes).digest()
        entry = {
            "log_id": LOG,
            "idx": index,
            "leaf_hash": digest,
            "leaf": leaf_bytes,
            "event_id": event_id,
            "client_digest": bytes(32),
            "type": kind,
            "case_id": str(case),
            "actor": "supervisor:s-1",
            "occurred_at": at,
            "recorded_at": at,
            "correlation_id": event_id,
            "outcome": "done",
            "aggregate_id": f"cases:{case}",
            "aggregate_version": round_ + 1,
        }
        rows["entry"].append(entry)
        for ref, (n, _) in before.items():
            self._heads[ref] = (n + 1, digest.hex())
            rows["entry_subject"].append({"log_id": LOG, "ref": ref, "n": n + 1, "idx": index})


async def load_postgresql(settings: Settings, log: MadeUp) -> None:
    connection = await connect(settings)
    for rows in log.batches():
        for table, records in rows.items():
            columns = list(records[0])
            tuples = [tuple(record.values()) for record in records]
            await connection.copy_records_to_table(table, records=tuples, columns=columns)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def load_sqlite(settings: AuditSettings, log: MadeUp) -> None:
    with closing(sqlite3.connect(settings.data_dir / "audit.sqlite3")) as database:
        for rows in log.batches():
            for table, records in rows.items():
                names = ",".join(records[0])
                places = ",".join(f":{name}" for name in records[0])
                database.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", records)
            database.commit()
        database.execute("ANALYZE")


async def by_case(tx: Transaction, case: UUID) -> None:
    search = Search(case_id=case)
    groups = await queries.subjects_of(tx, search)
    sizes = await queries.sizes_of(tx, search, groups)
    found = await queries.page_of(tx, search, groups, sizes, after=None, limit=50)
    verdict = await verdict_of(tx, groups[0], sizes)
    assert (len(found.items), verdict.complete, verdict.found) == (ENTRIES_A_CASE, True, ENTRIES_A_CASE)


async def by_subject(tx: Transaction, collector: UUID, share: float) -> None:
    """A page of 50 out of the middle of very many."""
    search = Search(collector_id=collector)
    groups = await queries.subjects_of(tx, search)
    sizes = await queries.sizes_of(tx, search, groups)
    middle = int(sizes[LOG] / COLLECTORS * share)
    found = await queries.page_of(tx, search, groups, sizes, after=queries.Place(LOG, middle), limit=50)
    assert len(found.items) == 50


async def seconds(runtime: Runtime, kind: str, log: MadeUp, dice: random.Random) -> float:
    case, collector, share = dice.choice(log.cases), dice.choice(log.collectors), dice.random() / 2
    started = perf_counter()
    async with runtime.database.reading() as tx:
        await (by_case(tx, case) if kind == "case" else by_subject(tx, collector, share))
    return perf_counter() - started


async def compare(runtimes: Sequence[Runtime], logs: Sequence[MadeUp], kind: str) -> list[list[float]]:
    """p99 in milliseconds, a list of repetitions for each size."""
    dice = random.Random(1)
    found: list[list[float]] = [[] for _ in SIZES]
    for repetition in range(REPETITIONS + 1):
        taken: list[list[float]] = [[] for _ in SIZES]
        for _ in range(SEARCHES):
            for place, (runtime, log) in enumerate(zip(runtimes, logs, strict=True)):
                taken[place].append(await seconds(runtime, kind, log, dice))
        if repetition:  # the first one warms up
            for place, times in enumerate(taken):
                found[place].append(percentile(times, 0.99) * 1000)
    return found


async def measure(stage: Stage) -> list[Figure]:
    async with AsyncExitStack() as stack:
        runtimes, logs = [], []
        for size in SIZES:
            settings = await stage.settings(AuditSettings)
            runtimes.append(await stack.enter_async_context(stage.runtime(SERVICE, settings)))
            logs.append(MadeUp(size))
            await load_postgresql(settings, logs[-1])
        figures = []
        for kind, name in (("case", "by case, with its verdict"), ("subject", "50 entries of a collector")):
            small, large = await compare(runtimes, logs, kind)
            floor: dict[str, Sequence[float]] = {"the same among 10,000 entries": small}
            figures.append(Figure(f"search in 1,000,000 entries: {name}, p99", "ms", large, floor))
        return figures


@asynccontextmanager
async def _sqlite_runtime(folder: Path) -> AsyncIterator[Runtime]:
    folder.mkdir()
    settings = AuditSettings(data_dir=folder)
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, settings.database_url_of("audit"))
    runtime = Runtime(SERVICE, settings)
    await runtime.start()
    yield runtime
    await runtime.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            runtimes, logs = [], []
            for size in SIZES:
                runtimes.append(await stack.enter_async_context(_sqlite_runtime(Path(folder) / str(size))))
                logs.append(MadeUp(size))
                load_sqlite(AuditSettings.of(runtimes[-1].settings), logs[-1])
            for kind in ("case", "subject"):
                small, large = (sorted(values)[REPETITIONS // 2] for values in await compare(runtimes, logs, kind))
                print(f"SQLite, by {kind}: {small:.2f} ms of 10,000, {large:.2f} ms of 1,000,000: ×{large / small:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
