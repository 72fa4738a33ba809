"""The checker: holds what came out of a world to what was committed in it. `python -m tests.faults.checker WORLD`
prints what it found and ends with 1 where the bus broke a promise.

published ids = committed ids · each effect once · each key in order · every projection = a serial replay of the events.
"""

import asyncio
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from shared.events.cases import TOPIC
from shared.events.followup import TOPIC as ANSWERS
from tests.faults.world import CHAIN, EFFECT, SAID, World, everything, linked, opened


@dataclass(slots=True)
class Findings:
    """What went wrong, by kind; each entry names the event or the key."""

    committed: int = 0
    handled: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    projections: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        wrong = self.lost or self.doubled or self.out_of_order or self.invented or self.projections
        return not wrong and self.committed > 0

    def in_words(self) -> str:
        counts = (
            f"{self.committed} committed, {self.handled} handled: lost {len(self.lost)}, doubled {len(self.doubled)}, "
            f"out of order {len(self.out_of_order)}, never committed {len(self.invented)}, "
            f"projections that differ {len(self.projections)}"
        )
        return f"{'kept' if self.kept else 'BROKEN'}: {counts}"


async def check(world: World, *, parked: frozenset[UUID] = frozenset()) -> Findings:
    """Everything that a world came to, when it is quiet. Events of `parked` keys may wait."""
    async with opened(world.saying()) as saying, opened(world.hearing()) as hearing:
        async with saying.database.reading() as tx:
            said = {row.event_id: (row.key, row.n) for row in await tx.session.execute(select(SAID))}
        async with hearing.database.reading() as tx:
            effects = (await tx.session.execute(select(EFFECT).order_by(EFFECT.c.id))).all()
            chains = {row.key: row.digest for row in await tx.session.execute(select(CHAIN))}
        wire = await _on_the_wire(saying, TOPIC)
        answers = await _on_the_wire(saying, ANSWERS)
    found = Findings(committed=len(said), handled=len(effects))
    expected = {event_id for event_id, (key, _) in said.items() if key not in parked}
    found.lost += [f"not published: {event_id}" for event_id in said.keys() - set(wire)]
    found.invented += [f"published: {event_id}" for event_id in set(wire) - said.keys()]
    times = Counter(effect.event_id for effect in effects)
    found.lost += [f"no effect: {event_id}" for event_id in expected - times.keys()]
    found.doubled += [f"{count} effects: {event_id}" for event_id, count in times.items() if count > 1]
    answered = {effect.answer_id for effect in effects}
    found.lost += [f"answer not published: {answer}" for answer in answered - set(answers)]
    found.invented += [f"answer: {answer}" for answer in set(answers) - answered]
    found.out_of_order += _swapped("on the bus", [said[event_id] for event_id in wire if event_id in said])
    found.out_of_order += _swapped("in the effects", [(effect.key, effect.n) for effect in effects])
    replayed = _replayed([said[event_id] for event_id in wire if event_id in said and said[event_id][0] not in parked])
    found.projections += [
        f"chain of {key}" for key in (replayed.keys() | chains.keys()) - parked if replayed.get(key) != chains.get(key)
    ]
    return found


async def _on_the_wire(runtime, topic: str) -> list[UUID]:
    """The ids on a topic, each where it came first: sending again is allowed, handling again is not."""
    ids: dict[UUID, None] = {}
    spans = everything(await runtime.transport.ends([topic]))
    async for records in runtime.transport.history(spans):
        for record in records:
            try:
                ids.setdefault(UUID(record.headers["ce_id"]))
            except (KeyError, ValueError):
                continue  # poison, put there by a test
    return list(ids)


def _swapped(where: str, numbered: list[tuple[UUID, int]]) -> list[str]:
    last: dict[UUID, int] = defaultdict(int)
    swapped = []
    for key, n in numbered:
        if n < last[key]:
            swapped.append(f"{where}: {n} after {last[key]} of {key}")
        last[key] = max(n, last[key])
    return swapped


def _replayed(numbered: list[tuple[UUID, int]]) -> dict[UUID, str]:
    """The chains as one process would make them from the bus, without any fault."""
    chains: dict[UUID, str] = {}
    for key, n in numbered:
        chains[key] = linked(chains.get(key, ""), n)
    return chains


if __name__ == "__main__":
    findings = asyncio.run(check(World.of_json(sys.argv[1])))
    print(findings.in_words())
    sys.exit(0 if findings.kept else 1)
