"""Handlers that take all events of a batch: order per key, each event once, and what fails parks alone."""

from random import Random
from uuid import UUID

import pytest
from sqlalchemy import insert

from shared.bus.handling import ByBatch, Received, in_groups
from shared.bus.parking import Choice
from shared.bus.transport import Partition, Record
from shared.database import Context
from shared.events.cases import CaseHeld, CaseReleased
from shared.ids import new_id
from tests.shared.bus.own_events import EFFECTS, consume_all, consumer_of, effects, publish, records_of, relay_all


class Batches:
    """Writes an effect of each event of a batch by one statement; fails on the reasons that it is told to fail on."""

    def __init__(self):
        self.failing, self.sizes, self.causes = set(), [], []

    async def handle(self, tx, heard):
        self.sizes.append(len(heard))
        self.causes += [(each.context.causation_id, str(each.envelope.event_id)) for each in heard]
        rows = [{"event_id": each.envelope.event_id, "reason": each.event.reason} for each in heard]
        await tx.session.execute(insert(EFFECTS), rows)
        if self.failing.intersection(each.event.reason for each in heard):
            raise ValueError("as told")


async def test_events_of_a_type_are_handled_together_each_once_in_its_own_context(runtime):
    batches = Batches()
    consumer = consumer_of(runtime, ByBatch(batches.handle))
    await publish(runtime, "a", "b", "c")
    await relay_all(runtime)
    await consume_all(runtime, consumer)
    await consumer.handle_batch(await records_of(runtime))
    assert await effects(runtime) == ["a", "b", "c"]
    assert sum(batches.sizes) == 3
    assert all(cause == event_id for cause, event_id in batches.causes)
    assert len(set(batches.causes)) == 3


async def test_one_event_that_fails_parks_its_key_and_the_batch_goes_on(runtime):
    batches, key = Batches(), new_id()
    batches.failing = {"bad"}
    consumer = consumer_of(runtime, ByBatch(batches.handle))
    await publish(runtime, "bad", "behind it", key=key)
    await publish(runtime, "1", "2", "3")
    await relay_all(runtime)
    await consumer.handle_batch(await records_of(runtime))
    assert await effects(runtime) == ["1", "2", "3"]
    batches.failing = set()
    assert (await consumer.replay(Choice(key=key), Context())).cured == 2
    assert await effects(runtime) == ["1", "2", "3", "bad", "behind it"]


KINDS = {"held": CaseHeld, "released": CaseReleased}


def received(kind: str, key: int, number: int) -> Received:
    event = KINDS[kind].model_construct(reason=str(number))
    return Received(Record(Partition("t", 0), number, str(UUID(int=key)), {}, b""), None, event)


@pytest.mark.parametrize(
    ("events", "groups"),
    [
        ([], []),
        (["held 1", "held 1", "held 2"], [3]),
        (["held 1", "released 2", "held 3"], [2, 1]),
        (["held 1", "released 1", "held 1"], [1, 1, 1]),
        (["held 1", "released 1", "held 2", "held 1"], [2, 1, 1]),
        (["released 1", "held 1", "released 1", "released 2"], [1, 1, 2]),
    ],
)
def test_events_of_a_batch_are_handled_in_groups(events, groups):
    items = [received(kind, int(key), at) for at, (kind, key) in enumerate(map(str.split, events))]
    every = {CaseHeld: ByBatch(Batches().handle), CaseReleased: ByBatch(Batches().handle)}
    assert [len(group) for group in in_groups(items, every)] == groups
    assert [len(group) for group in in_groups(items, dict.fromkeys(every, Batches().handle))] == [1] * len(items)


@pytest.mark.parametrize("seed", range(20))
def test_groups_hold_each_event_once_of_one_type_in_the_order_of_its_key(seed):
    random = Random(seed)
    items = [received(random.choice([*KINDS]), random.randrange(5), number) for number in range(60)]
    groups = in_groups(items, {CaseHeld: ByBatch(Batches().handle), CaseReleased: Batches().handle})
    assert all(len({type(item.event) for item in group}) == 1 for group in groups)
    handled = [item.record for group in groups for item in group]
    assert sorted(record.offset for record in handled) == list(range(60))
    for key in {record.key for record in handled}:
        offsets = [record.offset for record in handled if record.key == key]
        assert offsets == sorted(offsets)
