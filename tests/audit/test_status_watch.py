"""What a watcher of a log gets that comes back: each entry once, and the newest checkpoint, whenever it was made."""

import pytest

from services.audit.status import watch
from shared.ids import new_id
from tests.audit.desk import held


async def seen(desk, after, start):
    """What a reader gets that begins at `start`, reading on after an index."""
    async with desk.runtime.database.transaction() as tx:
        place = await watch.begin(tx, {"lender-1": start})
    async with desk.runtime.database.reading() as tx:
        batch = await watch.log_after("lender-1", place, tx, after)
        assert (
            await watch.log_after("lender-1", place, tx, batch.items[-1].position if batch.items else after)
        ).items == []
    return [(item.kind, item.position) for item in batch.items]


@pytest.mark.dialect
async def test_a_checkpoint_that_was_made_between_two_connections_is_not_missed(desk):
    for _ in range(2):
        case = new_id()
        await desk.hear(held(case), subject=case)
    await desk.settle()
    both = [("entry", 1), ("entry", 2), ("checkpoint", 2)]
    assert await seen(desk, 0, 0) == both
    assert await seen(desk, 1, 1) == both[1:]
    assert await seen(desk, 2, 2) == both[2:], "it saw all entries before the checkpoint was signed"
    assert await seen(desk, 2, None) == [], "from now on"
