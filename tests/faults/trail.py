"""The trail's faults, and what must hold after each kill: every event once, in the order of its partition, a tree that
verifies, and no published checkpoint that another contradicts. `python -m tests.faults trail` prints the table.
"""

import asyncio
import random
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table
from sqlalchemy import select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.tables import CHECKPOINT
from services.audit.tlog.leaf import decode
from services.audit.tlog.merkle import Frontier
from services.audit.tlog.note import Checkpoint, open_note
from services.audit.trail.sequencer import positions
from services.audit.trail.tables import ENTRY
from services.audit.verification.verify import verify
from shared.ids import new_id
from tests.faults.actors import Orders
from tests.faults.scenarios import Servers, forget_topics
from tests.faults.trail_world import POINTS, SequencerActor, Teller, TrailWorld, database_of

KILLED = -signal.SIGKILL
LEASE_PAST_SECONDS = 1.5


@dataclass(slots=True)
class Outcome:
    """What was found, over all looks at a world."""

    kills: int = 0
    looks: int = 0
    events: int = 0
    wrong: list[str] = field(default_factory=list)
    published: dict[tuple[str, int], str] = field(default_factory=dict)


async def look(world: TrailWorld, outcome: Outcome) -> None:
    """Hold the trail, as it is now, to what was on the bus, and to every checkpoint that was ever seen."""
    settings = world.settings
    async with database_of(world) as runtime, runtime.database.reading() as tx:
        leaves = [
            (row.log_id, row.leaf_hash, decode(row.leaf))
            for row in await tx.session.execute(select(ENTRY).order_by(ENTRY.c.log_id, ENTRY.c.idx))
        ]
        notes = (await tx.session.execute(select(CHECKPOINT.c.log_id, CHECKPOINT.c.size, CHECKPOINT.c.note))).all()
        reached = await positions(tx)
    outcome.looks += 1
    for log, size, note in notes:
        if outcome.published.setdefault((log, size), note) != note:
            outcome.wrong.append(f"two checkpoints of {log} at {size}")
    found = await verify(
        settings.database_url_of("audit"), verifiers=[verifier_of(settings)], origin=settings.trail_origin
    )
    outcome.wrong += [f"{log.log}: {problem}" for log in found.logs for problem in log.problems]
    sequenced = [leaf for _, _, leaf in leaves if leaf.source is not None]
    outcome.wrong += [f"an alarm: {leaf.type}" for leaf in sequenced if leaf.type.startswith("trail.")]
    for place, next_offset in reached.items():
        offsets = [leaf.source.offset for leaf in sequenced if leaf.source.partition == place.number]
        if sorted(offsets) != list(range(next_offset)):
            outcome.wrong.append(f"partition {place.number}: not each of {next_offset} records once")
    last: dict[tuple[str, int], int] = {}
    for log, _, leaf in leaves:
        if leaf.source is not None:
            key = (log, leaf.source.partition)
            if leaf.source.offset <= last.get(key, -1):
                outcome.wrong.append(f"{log}: {leaf.source.offset} after {last[key]}")
            last[key] = leaf.source.offset
    _check_published(settings, outcome, [(log, digest) for log, digest, _ in leaves])


def _check_published(settings, outcome: Outcome, hashes: list[tuple[str, bytes]]) -> None:
    """Each checkpoint that was ever seen is one of this tree: two that are cannot contradict each other."""
    frontiers: dict[str, Frontier] = {}
    roots: dict[tuple[str, int], bytes] = {}
    for log, digest in hashes:
        frontier = frontiers.setdefault(log, Frontier())
        frontier.append(digest)
        if (log, frontier.size) in outcome.published:
            roots[log, frontier.size] = frontier.root()
    for place, note in outcome.published.items():
        if Checkpoint.parse(open_note(note, verifier_of(settings))).root != roots.get(place):
            outcome.wrong.append(f"the tree forked from the checkpoint of {place[0]} at {place[1]}")


async def look_at_the_end(world: TrailWorld, teller: Teller, outcome: Outcome) -> None:
    await look(world, outcome)
    async with database_of(world) as runtime, runtime.database.reading() as tx:
        ids = list(await tx.session.scalars(select(ENTRY.c.event_id).where(ENTRY.c.aggregate_id.is_not(None))))
    outcome.events = len(teller.told)
    if sorted(ids) != sorted(teller.told):
        outcome.wrong.append(f"{len(set(teller.told) - set(ids))} events lost, {len(ids) - len(set(ids))} doubled")


def kill_at(world: TrailWorld, teller: Teller, outcome: Outcome, point: str, after: int = 1) -> None:
    """A sequencer dies where it comes to a point; then somebody looks."""
    teller.tell(40)
    status = SequencerActor(world, Orders("sequencer", die_at=point, after=after)).wait()
    if status == KILLED:
        outcome.kills += 1
    elif after == 1:
        outcome.wrong.append(f"the sequencer never came to {point!r} (exit {status})")
    asyncio.run(look(world, outcome))


def kill_everywhere(world: TrailWorld, teller: Teller, outcome: Outcome, rounds: int) -> None:
    for _ in range(rounds):
        for point in POINTS:
            kill_at(world, teller, outcome, point)


def kill_at_random(world: TrailWorld, teller: Teller, outcome: Outcome, rounds: int) -> None:
    """Deaths at any moment: at a point that is passed several times, or at none. One that is through before its death
    is sent again."""
    for _ in range(rounds):
        while not _dies_at_random(world, teller):
            asyncio.run(look(world, outcome))
        outcome.kills += 1
        asyncio.run(look(world, outcome))


def _dies_at_random(world: TrailWorld, teller: Teller) -> bool:
    teller.tell(random.randint(1, 700))
    if random.random() < 0.5:
        orders = Orders("sequencer", die_at=random.choice(POINTS), after=random.randint(1, 3))
        return SequencerActor(world, orders).wait() == KILLED
    actor = SequencerActor(world)
    time.sleep(random.uniform(0.2, 3.0))
    with suppress(ProcessLookupError):  # it may be through already
        actor.signal(signal.SIGKILL)
    return actor.wait() == KILLED


def fight(world: TrailWorld, teller: Teller, outcome: Outcome, rounds: int) -> None:
    """Two sequencers: one is halted past its lease, in the middle of its work; the other takes over; then the first
    goes on, and believes that it leads. In every other round it is killed instead."""
    for number in range(rounds):
        teller.tell(60)
        halted = SequencerActor(world, Orders("sequencer", die_at=POINTS[number % 5], halt=True))
        halted.wait_halted()
        time.sleep(LEASE_PAST_SECONDS)
        other = SequencerActor(world)
        time.sleep(1.0)
        halted.signal(signal.SIGKILL if number % 2 else signal.SIGCONT)
        outcome.kills += halted.wait() == KILLED
        if other.wait() != 0:
            outcome.wrong.append("the other sequencer died")
        asyncio.run(look(world, outcome))


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    harm: Callable[[TrailWorld, Teller, Outcome, int], None]
    rounds: int

    def run(self, world: TrailWorld, rounds: int | None = None) -> Outcome:
        """Do the harm so many times, let an undisturbed sequencer finish, look."""
        teller, outcome = Teller(world), Outcome()
        self.harm(world, teller, outcome, rounds or self.rounds)
        teller.tell(10)
        if SequencerActor(world).wait() != 0:
            outcome.wrong.append("the last sequencer died")
        asyncio.run(look_at_the_end(world, teller, outcome))
        return outcome


FAULTS = (
    Fault("SIGKILL at each point", kill_everywhere, 4),
    Fault("SIGKILL at random", kill_at_random, 20),
    Fault("two sequencers fight", fight, 10),
)


def embedded(folder: Path) -> TrailWorld:
    return TrailWorld(str(folder)).create()


def distributed(folder: Path, servers: Servers) -> TrailWorld:
    name = f"trail_{new_id().hex}"
    servers.postgres.create_database(name)
    asyncio.run(forget_topics(servers.kafka.bootstrap))
    return TrailWorld(str(folder), servers.postgres.url_of(name), servers.kafka.bootstrap).create()


def table(servers: Servers, told: Callable[[str], None]) -> tuple[Table, bool]:
    """Every fault in full on both forms."""
    shown = Table("fault", "database, bus", "kills", "looks", "events", "checkpoints", "wrong")
    kills, kept = 0, True
    for fault in FAULTS:
        for form in ("SQLite, embedded", "PostgreSQL, Kafka"):
            with tempfile.TemporaryDirectory() as folder:
                world = embedded(Path(folder)) if form.startswith("SQLite") else distributed(Path(folder), servers)
                found = fault.run(world)
            counts = (found.kills, found.looks, found.events, len(found.published), len(found.wrong))
            shown.add_row(fault.name, form, *map(str, counts), style="red" if found.wrong else "")
            told(f"{fault.name}, {form}: {found.kills} kills, {len(found.wrong)} wrong {found.wrong[:3] or ''}")
            kills, kept = kills + found.kills, kept and not found.wrong
    shown.caption = f"{kills} sequencers were killed. " + (
        "Each event stands once, in order; every tree verifies; no checkpoint contradicts another."
        if kept
        else "BROKEN"
    )
    return shown, kept
