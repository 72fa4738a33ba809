"""How each log stands, and a watch of it: it shows what is new until its token ends."""

import asyncio
from typing import Any

import pytest

from shared.auth import LEEWAY_SECONDS, Role
from shared.clock import system_now
from tests.audit.desk import LENDER, Desk, paid
from tests.one_service import bearer


async def test_each_log_says_its_size_and_how_far_it_is_signed(desk: Desk, case: dict[str, Any]) -> None:
    await desk.hear(paid(case["case"]), subject=case["case"])
    await desk.take()
    logs = {each["log"]: each for each in (await desk.get("/trail/status"))["logs"]}
    assert (logs[LENDER]["size"], logs[LENDER]["checkpoint_size"]) == (8, 7)
    assert (logs["lender-2"]["size"], logs["lender-2"]["checkpoint_size"]) == (1, 1)


@pytest.mark.dialect
@pytest.mark.parametrize("seconds", [1, 2 - LEEWAY_SECONDS])
async def test_a_watch_ends_when_its_token_does(desk: Desk, case: dict[str, object], seconds: int) -> None:
    """The second token has expired, and the door still takes it: it sees what is there, and waits for nothing."""
    ends_at = int(system_now().timestamp()) + seconds
    officer = bearer(desk.runtime, Role.COMPLIANCE, seconds=seconds)
    async with asyncio.timeout(10):
        watched = await desk.client.get(f"/audit/v1/logs/{LENDER}/watch", params={"from": 0}, headers=officer)
    assert system_now().timestamp() >= ends_at
    assert (watched.status_code, watched.headers["cache-control"]) == (200, "no-store")
    assert watched.text.count("event: entry") == 7
