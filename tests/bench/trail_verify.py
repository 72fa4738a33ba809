"""Verification of a log of a million leaves on PostgreSQL, and proofs from its tiles. The floor of the tree is hashing
alone: the leaves read by as many bare processes, SHA-256 of leaves and nodes, nothing looked at; that of a proof is to
ask for the log's head."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from random import Random
from time import perf_counter
from typing import Any

import asyncpg

from services.audit.attestations.checkpoints import origin_of, signer_of
from services.audit.settings import AuditSettings
from services.audit.tlog.leaf import client_digest
from services.audit.tlog.merkle import Frontier, root_of
from services.audit.tlog.note import Checkpoint, sign
from services.audit.tlog.tiles import TILE_WIDTH, full_tiles_completed, pack, tile_above
from services.audit.trail import queries
from services.audit.trail.tables import ENTRY
from services.audit.verification.verify import verify
from services.audit.worker import SERVICE
from shared.database import Transaction
from tests.bench.figures import Figure
from tests.bench.stage import Stage, connect

LEAVES = int(os.environ.get("DOORSTEP_BENCH_LEAVES", "1000000"))
CASES = LEAVES // 10
LOG = "lender-1"
BATCH = 20_000
PROCESSES = 2
REPETITIONS = 3
PROOFS = 4_000
MOMENT = "2026-03-02T01:00:00.000000Z"
LEAF = (
    '{{"action":"payment-received","actor":{{"kind":"system","ref":"doorstep"}},"aggregate":{{"id":"{case}",'
    '"version":{n}}},"causationId":null,"correlationId":"{event}","data":{data},"eventId":"{event}",'
    '"evidence":[],"log":"lender-1","occurredAt":"2026-03-02T01:00:00.000000Z","outcome":"done","priv":{{}},'
    '"recordedAt":"2026-03-02T01:00:00.000000Z","retention":"house-retain","source":{{"offset":{index},"partition":0,'
    '"topic":"cases.case.v1"}},"subjects":[{{"n":{n},"prev":{prev},"ref":"case:{case}"}},{{"n":{n},"prev":{prev},"ref":'
    '"debtor:{case}"}}],"type":"doorstep.cases.payment-received.v1","v":1}}'
)
DATA = (
    '{{"amount":{{"amount":"1250","currency":"TWD"}},"case_id":"{case}","payment_id":"{event}","provisional":false,'
    '"received_on":"2026-03-02"{rule}}}'
)
TYPE = "doorstep.cases.payment-received.v1"
ENTRY_COLUMNS = [column.name for column in ENTRY.c]


class Rows:
    """The rows of such a log, batch by batch, as the sequencer would have left them."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []
        self.leaf_bytes = 0

    def batch(self, start: int, stop: int) -> tuple[list[Any], list[Any], list[Any]]:
        entries, subjects, rules = [], [], []
        for index in range(start, stop):
            case, n = f"{index % CASES:08x}-0000-7000-8000-000000000000", index // CASES + 1
            event = f"{index:08x}-0000-7000-8000-{index:012x}"
            ruled = index % 8 == 0
            data = DATA.format(case=case, event=event, rule=',"rule_id":"balance-large"' if ruled else "")
            leaf = LEAF.format(
                data=data,
                case=case,
                event=event,
                index=index,
                n=n,
                prev=f'"{self.hashes[index - CASES].hex()}"' if n > 1 else "null",
            ).encode()
            digest = sha256(b"\x00" + leaf).digest()
            self.hashes.append(digest)
            self.leaf_bytes += len(leaf)
            row = {
                "log_id": LOG, "idx": index, "leaf_hash": digest, "leaf": leaf, "event_id": event,
                "client_digest": client_digest(TYPE, event, data.encode()), "type": TYPE, "case_id": case,
                "actor": "system:doorstep", "occurred_at": MOMENT, "recorded_at": MOMENT, "correlation_id": event,
                "outcome": "done", "aggregate_id": f"cases:{case}", "aggregate_version": n,
            }  # fmt: skip
            entries.append(tuple(row[name] for name in ENTRY_COLUMNS))
            subjects += [(LOG, f"case:{case}", n, index), (LOG, f"debtor:{case}", n, index)]
            if ruled:
                rules.append((LOG, "balance-large", index))
        return entries, subjects, rules

    def tiles(self) -> Iterator[tuple[str, int, int, bytes]]:
        made: dict[tuple[int, int], bytes] = {}
        for level, n in full_tiles_completed(0, LEAVES):
            first = n * TILE_WIDTH
            below = range(first, first + TILE_WIDTH)
            made[level, n] = (
                tile_above(made[level - 1, k] for k in below)
                if level
                else pack(self.hashes[first : first + TILE_WIDTH])
            )
            yield LOG, level, n, made[level, n]

    def subject_heads(self) -> Iterator[tuple[str, str, int, bytes]]:
        for index in range(LEAVES - CASES, LEAVES):
            case = f"{index % CASES:08x}-0000-7000-8000-000000000000"
            for kind in ("case", "debtor"):
                yield LOG, f"{kind}:{case}", index // CASES + 1, self.hashes[index]


async def load(connection: asyncpg.Connection) -> tuple[bytes, int]:
    """The log by COPY; returns its root and the bytes of all leaves. Indexes that only searches use are left out: no
    verification reads them."""
    for (name,) in await connection.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'ix_entry%'"
        " AND indexname <> 'ix_entry_aggregate'"
    ):
        await connection.execute(f"DROP INDEX {name}")
    rows = Rows()
    for start in range(0, LEAVES, BATCH):
        entries, subjects, rules = await asyncio.to_thread(rows.batch, start, min(LEAVES, start + BATCH))
        await connection.copy_records_to_table("entry", records=entries, columns=ENTRY_COLUMNS)
        await connection.copy_records_to_table("entry_subject", records=subjects, columns=["log_id", "ref", "n", "idx"])
        await connection.copy_records_to_table("entry_rule", records=rules, columns=["log_id", "rule_id", "idx"])
    await connection.copy_records_to_table("tile", records=rows.tiles(), columns=["log_id", "level", "n", "hashes"])
    await connection.copy_records_to_table(
        "subject_head", records=rows.subject_heads(), columns=["log_id", "ref", "n", "prev"]
    )
    await connection.execute(
        "INSERT INTO aggregate_head (aggregate_id, version)"
        " SELECT aggregate_id, max(aggregate_version) FROM entry GROUP BY aggregate_id"
    )
    frontier = Frontier()
    for digest in rows.hashes:
        frontier.append(digest)
    await connection.execute(
        "INSERT INTO head (log_id, size, root, frontier) VALUES ($1, $2, $3, $4)",
        LOG, frontier.size, frontier.root(), b"".join(frontier.hashes),
    )  # fmt: skip
    await connection.execute("VACUUM ANALYZE")
    return frontier.root(), rows.leaf_bytes


def bare(url: str, start: int, stop: int) -> bytes:
    """The floor, in one process: read leaves, hash them, hash the nodes above."""

    async def read() -> bytes:
        connection = await asyncpg.connect(url)
        hashes: list[bytes] = []
        async with connection.transaction(readonly=True):
            cursor = await connection.cursor(
                "SELECT leaf FROM entry WHERE log_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx", LOG, start, stop
            )
            while page := await cursor.fetch(2_000):
                hashes += [sha256(b"\x00" + leaf).digest() for (leaf,) in page]
        await connection.close()
        return root_of(hashes)

    return asyncio.run(read())


async def _floor(pool: ProcessPoolExecutor, url: str) -> float:
    loop = asyncio.get_running_loop()
    middle = 1 << ((LEAVES - 1).bit_length() - 1)
    cuts = [(0, middle // 2), (middle // 2, middle), (middle, LEAVES)] if PROCESSES > 1 else [(0, LEAVES)]
    started = perf_counter()
    await asyncio.gather(*(loop.run_in_executor(pool, bare, url, *cut) for cut in cuts))
    return perf_counter() - started


async def measure(stage: Stage) -> list[Figure]:
    settings = await stage.settings(AuditSettings)
    url = (settings.database_url or "").replace("+asyncpg", "")
    async with stage.runtime(SERVICE, settings) as runtime:
        connection = await connect(settings)
        root, leaf_bytes = await load(connection)
        signer = signer_of(settings)
        note = sign(Checkpoint(origin_of(settings, LOG), LEAVES, root).text(), signer)
        await connection.execute("INSERT INTO checkpoint VALUES ($1, $2, $3, $4)", LOG, LEAVES, note, MOMENT)
        await connection.close()

        async def verified(*, leaves_only: bool) -> float:
            started = perf_counter()
            found = await verify(
                settings.database_url or "",
                verifiers=[signer.verifier],
                origin=settings.trail_origin,
                processes=PROCESSES,
                leaves_only=leaves_only,
            )
            assert found.ok, found.to_json()
            assert found.entries == LEAVES
            return perf_counter() - started

        trees, floors, wholes = [], [], []
        with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
            list(pool.map(abs, range(PROCESSES)))
            for _ in range(REPETITIONS):
                floors.append(await _floor(pool, url))
                trees.append(await verified(leaves_only=True))
                wholes.append(await verified(leaves_only=False))
        async with runtime.database.reading() as tx:
            proofs = [await _proofs(tx) for _ in range(REPETITIONS)]
        heads = await _heads(url)
    bare_heads = {"a bare SELECT of the log's head each": heads}
    floor = {f"SHA-256 of the same leaves, read bare by {PROCESSES} processes": floors}
    note = f"{LEAVES:,} leaves of {leaf_bytes / LEAVES:,.0f} bytes, {PROCESSES} processes, started within the figure"
    return [
        Figure("trail: tree derived again from its leaves", "s", trees, floor, f"target 4 s; {note}"),
        Figure("trail: full verification, every projection compared", "s", wholes, floor, f"target 20 s; {note}"),
        Figure("trail: inclusion proof from tiles, warm", "proofs/s", proofs, bare_heads, "target 2,000/s"),
    ]


async def _proofs(tx: Transaction) -> float:
    wanted = [Random(number).randrange(LEAVES) for number in range(PROOFS)]
    for index in wanted:  # once to warm up
        await queries.inclusion(tx, LOG, index, None)
    started = perf_counter()
    for index in wanted:
        await queries.inclusion(tx, LOG, index, None)
    return PROOFS / (perf_counter() - started)


async def _heads(url: str) -> list[float]:
    """The floor of proofs: each must at least ask how large the log is."""
    connection = await asyncpg.connect(url)
    rates = []
    for _ in range(REPETITIONS):
        started = perf_counter()
        for _ in range(PROOFS):
            await connection.fetchrow("SELECT size, root FROM head WHERE log_id = $1", LOG)
        rates.append(PROOFS / (perf_counter() - started))
    await connection.close()
    return rates
