"""The same bytes are read again where that can change something: only a repetition of the newest file does not."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.cases.placements.domain import Sent, is_repetition
from services.cases.placements.jobs import PLACEMENTS
from shared.auth import Role
from shared.job_runner import run_next
from tests.actors.samples import DIGEST, PROFILE, file_of, row
from tests.cases.conftest import NOON, System
from tests.one_service import LENDER

SENT = Sent("00", "text/csv", 1, None, date(2026, 3, 2), None, None, None, None)


@pytest.mark.parametrize(
    "differs",
    [
        {"sha256": "11"},
        {"media_type": "application/json"},
        {"profile_version": 2},
        {"received_on": date(2026, 3, 3)},
        {"received_on": None, "as_of": date(2026, 3, 2)},
        {"issue": 1},
        {"control_rows": 0},
        {"control_balance_minor": 1},
        {"notice": {"channel": "LETTER"}},
    ],
)
def test_a_file_that_differs_in_anything_is_no_repetition(differs: dict[str, Any]) -> None:
    assert not is_repetition(replace(SENT, **differs), SENT, newest_refused=False)
    assert is_repetition(SENT, replace(SENT), newest_refused=False)
    assert not is_repetition(SENT, SENT, newest_refused=True)
    assert not is_repetition(SENT, None, newest_refused=False)


@pytest.fixture
async def lender(system: System) -> System:
    await system.register(PROFILE)
    return system


async def put_profile(system: System, **changes: Any) -> None:
    path = f"/cases/v1/lenders/{LENDER}/profile"
    answer = await system.client.put(path, json=PROFILE | changes, headers=system.bearer(Role.LENDER))
    assert answer.status_code == 200, answer.text


async def send(system: System, content: bytes, media_type: str = "text/csv", **query: str) -> dict[str, Any]:
    """Send a file, and take it in where it is not a repetition."""
    answer = await system.push(content, media_type, **query)
    await run_next(system.runtime, PLACEMENTS)
    placement: dict[str, Any] = await system.get(f"/placements/{answer.json()['id']}", role=Role.LENDER)
    return placement


async def balance(system: System) -> str:
    [case, *_] = (await system.get("/cases"))["items"]
    amount: str = case["balance"]["amount"]
    return amount


@pytest.mark.dialect
async def test_the_newest_file_again_is_the_placement_that_it_was(lender: System) -> None:
    content = file_of(row("A-1"))
    first = await send(lender, content)
    published = await lender.published()
    assert await send(lender, content) == first
    assert await lender.published() == published
    several = await asyncio.gather(*(send(lender, file_of(row("A-2"))) for _ in range(4)))
    assert len({each["id"] for each in several}) == 1
    assert len((await lender.get("/placements"))["items"]) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": PROFILE["columns"] | {"account_ref": "konto"}},
        {"date_format": "%d.%m.%Y"},
    ],
)
async def test_a_file_is_read_again_once_its_profile_is_mended(lender: System, wrong: dict[str, Any]) -> None:
    await put_profile(lender, **wrong)
    content = file_of(row("A-1", paid="2026-01-05"), row("A-2", paid="2026-01-06"))
    refused = await send(lender, content)
    assert refused["accepted"] == 0
    await put_profile(lender)
    taken = await send(lender, content)
    assert (taken["status"], taken["accepted"], taken["profile_version"]) == ("DONE", 2, 3)
    assert await lender.get(f"/placements/{refused['id']}") == refused


async def test_a_file_that_was_refused_as_a_whole_is_tried_again(lender: System) -> None:
    first = await send(lender, b"{", "application/json")
    again = await send(lender, b"{", "application/json")
    assert (first["status"], again["status"], first["id"] == again["id"]) == ("REFUSED", "REFUSED", False)


async def test_yesterdays_content_counts_again_after_another_file(lender: System) -> None:
    low, high = file_of(row("A-1", 10_000)), file_of(row("A-1", 15_000))
    for day, content, owed in ((0, low, "10000"), (1, high, "15000"), (2, low, "10000"), (2, low, "10000")):
        await lender.at(NOON + timedelta(days=day))
        await send(lender, content)
        assert await balance(lender) == owed
    assert len((await lender.get("/placements"))["items"]) == 3
    await send(lender, file_of(row("A-2")))
    await send(lender, low)
    assert len((await lender.get("/placements"))["items"]) == 5  # another file came between


async def test_a_file_of_another_day_or_with_a_proof_is_a_file_of_its_own(lender: System) -> None:
    content = file_of(row("A-1"))
    first = await send(lender, content)
    proved = await send(lender, content, notice_sent_at="2026-02-20T10:00:00+08:00", notice_proof=DIGEST)
    announced = await send(lender, content, control_rows="1")
    assert announced["control"] == {"rows_match": True, "balance_match": None}
    await lender.at(NOON + timedelta(hours=11, minutes=59))  # before midnight, in Taipei
    assert (await send(lender, content, control_rows="1"))["id"] == announced["id"]
    await lender.at(NOON + timedelta(hours=12))
    tomorrow = await send(lender, content, control_rows="1")
    assert len({each["id"] for each in (first, proved, announced, tomorrow)}) == 4
    stated = await send(lender, content, as_of="2026-03-01")
    await lender.at(NOON + timedelta(days=2))
    assert await send(lender, content, as_of="2026-03-01") == stated
    assert {each["accepted"] for each in (first, proved, announced, tomorrow)} == {1}
    assert [len((await lender.get("/cases"))["items"]), await balance(lender)] == [1, "250000"]
