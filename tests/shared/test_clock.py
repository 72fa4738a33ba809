"""The simulated business clock moves forward, and only when everything due has been done."""

import asyncio

from shared.auth import Role
from shared.worker import Worker


async def _move(system, to):
    return await system.caller(Role.ADMIN).post("/cases/v1/clock", {"to": to})


async def test_a_real_clock_cannot_be_moved(system):
    answer = await _move(system, "2030-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["title"]) == (409, "clock-is-real")


async def test_it_moves_forward_and_never_back(simulated):
    assert (await _move(simulated, "2026-03-02T09:00:00+08:00")).json()["now"] == "2026-03-02T01:00:00Z"
    assert (await _move(simulated, "2026-03-02T12:00:00+08:00")).json()["now"] == "2026-03-02T04:00:00Z"
    answer = await _move(simulated, "2026-03-02T11:00:00+08:00")
    assert (answer.status_code, answer.json()["title"]) == (409, "clock-goes-forward")


async def test_it_does_not_move_while_an_event_waits(simulated):
    await simulated.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": "one"})
    answer = await _move(simulated, "2026-03-03T00:00:00Z")
    assert (answer.status_code, answer.json()["title"]) == (409, "clock-not-quiet")
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(simulated.runtime).run(stop))
    async with asyncio.timeout(10):
        while not (await simulated.caller(Role.ADMIN).get("/cases/v1/clock")).json()["quiet"]:
            await asyncio.sleep(0.01)
    assert (await _move(simulated, "2026-03-03T00:00:00Z")).status_code == 200
    stop.set()
    await working


async def test_a_time_without_a_zone_is_refused(simulated):
    assert (await _move(simulated, "2026-03-03T00:00:00")).status_code == 422
