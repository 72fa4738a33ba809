"""Each due promise is judged once: by several workers, by one that dies, after downtime, by a clock that jumps."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given

from services.followup.promises import usecases
from services.followup.promises.domain import PromiseStatus
from services.followup.promises.jobs import judge_due_promises
from services.followup.promises.judging import Judged, changed, events_of
from services.followup.promises.replay import judged_at, local_day, replay
from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, paid, promised, running
from tests.followup.promises.test_replay import end_of, payments, promises
from tests.searches import search

TUESDAY, NEXT_WEEK = MONDAY + timedelta(days=1), MONDAY + timedelta(days=7)
CASE = UUID(int=7)
DAYS = range(1, 110)


async def judge_all(system) -> int:
    judged = 0
    while done := await judge_due_promises(system.runtime):
        judged += done
    return judged


async def endings(system) -> Counter:
    """How often each promise was published to have ended."""
    published = await system.published()
    return Counter(
        json.loads(payload)["promise_id"]
        for kind, _, payload in published
        if kind in ("promise-broken", "promise-kept")
    )


class Killed(Exception):
    """A worker ends before its commit."""


async def judge_and_die(system) -> None:
    async with system.runtime.database.transaction() as tx:
        tx.now = noon(NEXT_WEEK)
        assert await usecases.judge_due(tx) == 7
        raise Killed


@pytest.mark.servers
async def test_two_workers_and_one_that_dies_judge_each_promise_once_after_a_day_of_downtime(
    on_postgresql, monkeypatch
):
    monkeypatch.setattr(usecases, "JUDGED_AT_ONCE_MAX", 7)
    async with running(on_postgresql) as system:
        cases = [new_id() for _ in range(40)]
        await system.hear(*(promised(case, (TUESDAY, "10")) for case in cases))
        await system.hear(*(paid(case, "10", TUESDAY) for case in cases[:5]))
        await system.at(noon(NEXT_WEEK))
        with pytest.raises(Killed):
            await judge_and_die(system)
        assert sum(await asyncio.gather(*(judge_all(system) for _ in range(2)))) == 35
        assert await judge_due_promises(system.runtime) == 0
        ended = await endings(system)
        assert (len(ended), set(ended.values())) == (40, {1})
        assert (await system.totals())["promises"]["broken"] == 35


async def test_a_clock_that_stopped_for_a_day_at_the_midnight_judges_what_a_running_one_had(system):
    early, late = [promised(new_id(), (day, "10")) for day in (TUESDAY, TUESDAY + timedelta(days=1))]
    await system.hear(early, late)
    assert await system.settle_at(noon(TUESDAY + timedelta(days=2))) == 0
    assert await system.settle_at(noon(TUESDAY + timedelta(days=4))) == 2
    assert set((await endings(system)).values()) == {1}


def published(made, came, nows):
    """What is published when the clock shows these moments, one after the other; and how each promise stands then."""
    judged, told = {}, Counter()
    for now in nows:
        known = [one for one in made if one.made_on < local_day(now, "Asia/Taipei")]
        money = [payment for payment in came if payment.received_on < local_day(now, "Asia/Taipei")]
        for promise_id, standing in replay(known, money, [], now).items():
            before = judged.get(promise_id, Judged(PromiseStatus.ACTIVE))
            for event in events_of(CASE, before, standing, local_day(now, "Asia/Taipei")):
                told[promise_id, event.type, getattr(event, "instalment", None)] += 1
            missed = frozenset(miss.instalment for miss in standing.missed)
            judged[promise_id] = Judged(standing.status, before.judgement + changed(before, standing), missed)
    return judged, told


@search(15, 5_000)
@given(promises(), payments)
def test_a_clock_that_jumps_equals_its_steps(made, came):
    steps = published(made, came, [end_of(number) for number in DAYS])
    jump = published(made, came, [end_of(DAYS[-1])])
    assert jump == steps
    assert set(jump[1].values()) <= {1}


@search(15, 5_000)
@given(promises(), payments)
def test_a_promise_is_looked_at_in_time_for_each_change(made, came):
    """Between two moments at which it says that it is to be looked at, nothing changes without money."""
    for one in made:
        now = end_of(one.made_on.toordinal() - MONDAY.toordinal() + 2)
        standing = replay([one], came, [], now)[one.id]
        while (then := judged_at(standing, now)) is not None:
            before = replay([one], came, [], then - timedelta(seconds=1))[one.id]
            assert (before.status, before.missed) == (standing.status, standing.missed)
            now, standing = then, replay([one], came, [], then)[one.id]
        assert standing.status is not PromiseStatus.ACTIVE
