"""The way back to an older backup, or on over entries that were never signed. It is on the record: an entry
`trail.restored` in the operator's log names each log, what is left of it and what is lost; then all is signed.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from services.audit.attestations.checkpoints import copies_are_expected, root_of, unpublished_heads, verifier_of
from services.audit.attestations.copies import CheckpointFolder
from services.audit.attestations.publisher import Publisher
from services.audit.attestations.starting import keep_copies
from services.audit.settings import AuditSettings
from services.audit.trail.appending import append_own, begin_positions_again
from services.audit.trail.entries import restored
from services.audit.trail.state import BUS, HALTED, bus_generation, forget_state, write_state
from services.audit.trail.tables import HEAD
from services.audit.verification.domain import Kind, Verification
from services.audit.verification.signatures import Elsewhere, read_elsewhere
from services.audit.verification.verify import verify
from shared.bus.lease import LEASE_SECONDS, Lease
from shared.clock import monotonic_seconds, system_now
from shared.database import Transaction
from shared.errors import Conflict
from shared.runtime import Runtime

# What a restoration may leave behind. Anything else is a forgery, or damage, and is not signed over.
MENDED = frozenset({Kind.ROLLED_BACK, Kind.FORKED, Kind.UNSIGNED})
LOGS_MAX = 200  # in one entry


@dataclass(frozen=True, slots=True)
class Gap:
    """A log that goes on from `size` entries with this root. Checkpoints of up to `lost_size` entries, the largest with
    `lost_root`, were signed and are given up; the entries from `unsigned_from` on have no checkpoint. None: no such."""

    log: str
    size: int
    root: str
    lost_size: int | None = None
    lost_root: str | None = None
    unsigned_from: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restoration would write. `copies_lost`: the folder of copies begins again; `bus_lost`: the topics do."""

    gaps: list[Gap]
    copies_lost: bool
    bus_lost: bool = False

    @property
    def needed(self) -> bool:
        return bool(self.gaps) or self.copies_lost or self.bus_lost


class NotRestorable(Conflict):
    """The database does not hold by itself: nothing is signed over it."""

    def __init__(self, detail: str) -> None:
        super().__init__("not-restorable", detail)


async def plan_restoration(runtime: Runtime, *, bus_lost: bool = False) -> Plan:
    """What is lost and what is unsigned, from the database and the copies; with `bus_lost`, that the topics are new and
    their offsets begin at 0. Raises NotRestorable."""
    settings = AuditSettings.of(runtime.settings)
    folder, verifiers = settings.checkpoint_folder, [verifier_of(settings)]
    there = await asyncio.to_thread(folder.is_dir)
    notes = await asyncio.to_thread(CheckpointFolder(folder).sample) if there else []
    found = await verify(
        settings.database_url_of("audit"), verifiers=verifiers, origin=settings.trail_origin, against=notes, processes=1
    )
    _refuse_forgeries(found)
    copies = [read_elsewhere(note, settings.trail_origin, verifiers) for note in notes]
    gaps = []
    async with runtime.database.reading() as tx:
        unsigned_from = {head.log_id: head.signed for head in await unpublished_heads(tx)}
        for log in found.logs:
            of_log = [each for each in copies if each.log == log.log and each.problem is None]
            lost = await _lost(tx, log.log, log.size, of_log)
            if lost is not None or log.log in unsigned_from:
                kept, largest = lost or (log.size, None)
                gaps.append(
                    Gap(
                        log.log,
                        kept,
                        (await root_of(tx, log.log, log.size, kept)).hex(),
                        largest.size if largest else None,
                        largest.root.hex() if largest else None,
                        unsigned_from.get(log.log),
                    )
                )
        expected = await copies_are_expected(tx, settings)
    return Plan(gaps, copies_lost=expected and not there, bus_lost=bus_lost)


def _refuse_forgeries(found: Verification) -> None:
    wrong = [(log.log, problem) for log in found.logs for problem in log.problems if problem.kind not in MENDED]
    if wrong:
        log, problem = wrong[0]
        raise NotRestorable(
            f"This database does not hold by itself: log {log}, entry {problem.index}: {problem.kind}: "
            f"{problem.detail}. Take another backup. Nothing was changed."
        )


async def _lost(tx: Transaction, log: str, size: int, copies: list[Elsewhere]) -> tuple[int, Elsewhere] | None:
    """The size up to which log and copies agree, and the largest copy that is given up; None where all agree."""
    agreed = {
        each.size for each in copies if each.size <= size and await root_of(tx, log, size, each.size) == each.root
    }
    others = [each for each in copies if each.size not in agreed]
    if not others:
        return None
    contradicted = [each.size for each in others if each.size <= size]
    kept = max((each for each in agreed if each < min(contradicted)), default=0) if contradicted else size
    return kept, max(others, key=lambda each: each.size)


async def restore(runtime: Runtime, plan: Plan) -> int:
    """Write down what is lost, put the copies of it aside, sign everything. Returns the index of the entry. Safe to
    repeat after a crash: until all is signed the next start refuses. Raises Conflict while a sequencer works."""
    settings, now = AuditSettings.of(runtime.settings), system_now()
    lease = Lease(runtime.database, runtime.service.tables.bus.lease, "sequencer")
    await _take(lease)
    gaps = [asdict(gap) for gap in plan.gaps]
    parts = [gaps[start : start + LOGS_MAX] for start in range(0, len(gaps), LOGS_MAX)] or [[]]
    async with runtime.database.transaction() as tx:
        data: list[dict[str, Any]] = [
            {"logs": part, "copies_lost": plan.copies_lost, "part": number, "bus": None}
            for number, part in enumerate(parts)
        ]
        if plan.bus_lost:
            data[0]["bus"] = await _begin_offsets(tx)
        growth = await append_own(tx, [restored(part, now) for part in data], now)
        await forget_state(tx, HALTED)
    folder = CheckpointFolder(settings.checkpoint_folder)
    for gap in plan.gaps:
        if gap.lost_size is not None:
            name = f"given-up-{now:%Y%m%dT%H%M%SZ}"
            await asyncio.to_thread(folder.put_aside, gap.log, gap.size, name)
    publisher = Publisher(runtime, leads=lambda: lease.epoch > 0)
    try:
        await publisher.publish_once()
    finally:
        await publisher.close()
    await keep_copies(runtime.database, settings)
    await lease.release()
    return int(str(growth.entries[0][1]))


async def _begin_offsets(tx: Transaction) -> dict[str, Any]:
    """Positions go back to 0, and from the logs' present sizes on offsets are those of another bus."""
    generation = await bus_generation(tx) + 1
    await write_state(tx, BUS, {"generation": generation})
    taken = await begin_positions_again(tx)
    sizes = await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size).order_by(HEAD.c.log_id))
    return {"generation": generation, "sizes": [list(row) for row in sizes], "taken": taken}


async def _take(lease: Lease) -> None:
    """A process that was killed holds its lease for some seconds more."""
    waited_until = monotonic_seconds() + LEASE_SECONDS + 2
    while not await lease.take():
        if monotonic_seconds() > waited_until:
            raise Conflict("trail-is-running", "A sequencer works on this trail. Stop the system, then try again.")
        await asyncio.sleep(0.5)
