"""Each file proves that its own debtors were told; the profile's proof counts for others for a while."""

from datetime import timedelta

import pytest

from services.cases.placements.jobs import PLACEMENTS
from shared.auth import Role
from shared.job_runner import run_next
from tests.actors.samples import DIGEST, file_of, row
from tests.cases.conftest import NOON
from tests.cases.placements.test_places import registered

OWN = {"notice_sent_at": "2026-02-25T09:00:00+08:00", "notice_proof": "7c" * 32, "notice_channel": "EMAIL"}


async def send(system, account, **query):
    headers = system.bearer(Role.LENDER) | {"Content-Type": "text/csv"}
    path = "/cases/v1/placements"
    return await system.client.post(path, content=file_of(row(account)), headers=headers, params=query)


async def notices(system, account, **query):
    """What stands on record for the debtor of a file that was taken in."""
    answer = await send(system, account, **query)
    assert answer.status_code == 202, answer.text
    assert await run_next(system.runtime, PLACEMENTS) == 1
    [case] = [
        each["id"] for each in (await system.get("/cases"))["items"] if each["accounts"][0]["account_ref"] == account
    ]
    told = (await system.get(f"/cases/{case}/notices"))["items"]
    return [(each["kind"], each["channel"], each["proof_digest"]) for each in told]


async def test_a_file_brings_its_own_proof_and_the_profiles_counts_for_a_quarter(system):
    await registered(system, {})
    assert await notices(system, "A-1", **OWN) == [("PRIOR_NOTICE", "EMAIL", OWN["notice_proof"])]
    assert await notices(system, "A-2") == [("PRIOR_NOTICE", "LETTER", DIGEST)]
    await system.at(NOON + timedelta(days=75))
    assert await notices(system, "A-3") == []
    assert await notices(system, "A-4", **OWN) == [("PRIOR_NOTICE", "EMAIL", OWN["notice_proof"])]


@pytest.mark.parametrize(
    "change",
    [
        {"notice_proof": None},
        {"notice_sent_at": None},
        {"notice_proof": "he said so"},
        {"notice_sent_at": "2026-03-02T13:00:00+08:00"},
        {"notice_sent_at": "9999-12-31T00:00:00Z"},
        {"notice_channel": "PIGEON"},
    ],
)
async def test_a_proof_that_proves_nothing_is_refused_and_nothing_is_kept(system, change):
    await registered(system, {})
    query = {name: value for name, value in (OWN | change).items() if value is not None}
    answer = await send(system, "A-1", **query)
    assert answer.status_code == 422
    assert await run_next(system.runtime, PLACEMENTS) == 0
