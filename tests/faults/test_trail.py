"""The trail's faults in their short form, on both forms; `python -m tests.faults trail` is the long one."""

import asyncio

import pytest
from sqlalchemy import text

from tests.faults import trail
from tests.faults.trail import FAULTS, Outcome
from tests.faults.trail_world import SequencerActor, Teller, database_of

SHORT = {"SIGKILL at each point": 1, "SIGKILL at random": 2, "two sequencers fight": 2}
faults = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.mark.slow
@faults
def test_embedded(fault, tmp_path):
    found = fault.run(trail.embedded(tmp_path), SHORT[fault.name])
    assert (found.wrong, found.kills > 0) == ([], True)


@pytest.mark.slow
@pytest.mark.servers
@faults
def test_on_kafka_and_postgresql(fault, own_servers, tmp_path):
    found = fault.run(trail.distributed(tmp_path, own_servers), SHORT[fault.name])
    assert (found.wrong, found.kills > 0) == ([], True)


@pytest.mark.slow
def test_the_look_finds_what_was_lost(tmp_path):
    world = trail.embedded(tmp_path)
    teller, outcome = Teller(world), Outcome()
    teller.tell(30)
    assert SequencerActor(world).wait() == 0
    teller.told.append("an event that never came")

    async def forge() -> None:
        async with database_of(world) as runtime, runtime.database.transaction() as tx:
            await tx.session.execute(text("UPDATE kafka_pos SET next_offset = next_offset + 1 WHERE next_offset > 0"))

    asyncio.run(forge())
    asyncio.run(trail.look_at_the_end(world, teller, outcome))
    assert "1 events lost, 0 doubled" in outcome.wrong
    assert any("records once" in each for each in outcome.wrong)
