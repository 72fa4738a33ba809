"""A version that waits is a request in the work list: both ways to decide upon it end the other."""

from importlib import import_module
from uuid import UUID

import pytest
from sqlalchemy import delete, insert

from services.visits.base import APPROVALS
from services.visits.rulepacks.tables import PackVersionRow
from shared.auth import Role
from shared.law import load_packs

TW = load_packs()["tw"]
PATH = "/rule-packs/tw/versions"
WHY = {"reason": "The circular says otherwise."}


async def uploaded(system, name="2027.1", subject="anna"):
    """The request that an upload makes."""
    content = TW.text.replace(f'version: "{TW.version}"', f'version: "{name}"')
    headers = system.bearer(Role.COMPLIANCE, subject=subject) | {"Content-Type": "application/yaml"}
    answer = await system.client.post(f"/visits/v1{PATH}?effective_from=2026-04-01", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return (await requests(system, status="OPEN"))[-1]


async def requests(system, **query):
    return (await system.get("/approvals", role=Role.COMPLIANCE, **query))["items"]


async def officer(system, path, subject="berta", expect=200, body=None):
    return await system.post(path, body, expect, Role.COMPLIANCE, subject=subject)


async def status_of(system, name="2027.1"):
    return (await system.get(f"{PATH}/{name}", role=Role.COMPLIANCE))["status"]


async def test_an_upload_asks_and_says_what_it_would_do_and_until_when(system):
    asked = await uploaded(system)
    assert asked["effect"].startswith("Version 2027.1 of the rule pack tw is the law from 2026-04-01 on")
    assert asked["expires_at"].startswith("2026-03-31T10:00:00")  # the day begins on earth: 1 April in UTC+14
    assert (asked["asked_by"], asked["case_id"], asked["seen"]["status"]) == ("compliance:anna", None, "PROPOSED")


async def test_a_dry_run_asks_nothing(system):
    headers = system.bearer(Role.COMPLIANCE) | {"Content-Type": "application/yaml"}
    content = TW.text.replace(f'version: "{TW.version}"', 'version: "2027.1"')
    path = f"/visits/v1{PATH}?effective_from=2026-04-01&dry_run=true"
    assert (await system.client.post(path, content=content, headers=headers)).status_code == 200
    assert await requests(system) == []


@pytest.mark.parametrize(
    ("verb", "status", "version"), [("approve", "APPROVED", "ACTIVATED"), ("reject", "REFUSED", "REJECTED")]
)
async def test_the_versions_own_route_ends_the_request(system, verb, status, version):
    asked = await uploaded(system)
    assert (await officer(system, f"{PATH}/2027.1/{verb}", "anna", 403))["title"] == "four-eyes"
    assert (await officer(system, f"{PATH}/2027.1/{verb}"))["status"] == version
    [ended] = await requests(system)
    assert (ended["status"], ended["decided_by"]) == (status, "compliance:berta")
    refused = await officer(system, f"/approvals/{asked['id']}/approve", "carla", 409, WHY)
    assert refused["title"] == "approval-decided"


@pytest.mark.parametrize(("verb", "version"), [("approve", "ACTIVATED"), ("refuse", "REJECTED")])
async def test_the_work_list_ends_the_version(system, verb, version):
    asked = await uploaded(system)
    assert (await officer(system, f"/approvals/{asked['id']}/{verb}", "anna", 409, WHY))["title"] == "second-person"
    await officer(system, f"/approvals/{asked['id']}/{verb}", body=WHY)
    assert await status_of(system) == version
    assert (await officer(system, f"{PATH}/2027.1/approve", "carla", 409))["title"] == "pack-decided"
    assert (await system.types()).count("rule-pack-activated") == (verb == "approve")


async def test_a_version_that_is_taken_back_takes_its_request_along(system):
    asked = await uploaded(system)
    await officer(system, f"{PATH}/2027.1/withdraw", "anna")
    [ended] = await requests(system)
    assert (ended["status"], ended["ended_because"]) == ("EXPIRED", "CHANGED")
    assert (await officer(system, f"/approvals/{asked['id']}/approve", expect=409, body=WHY))[
        "title"
    ] == "approval-expired"


async def test_of_two_versions_for_one_day_the_second_stays_open(system):
    first, second = await uploaded(system), await uploaded(system, "2027.2")
    await officer(system, f"/approvals/{first['id']}/approve", body=WHY)
    assert (await officer(system, f"/approvals/{second['id']}/approve", expect=409, body=WHY))["title"] == "day-taken"
    assert (await status_of(system, "2027.2"), (await requests(system))[1]["status"]) == ("PROPOSED", "OPEN")


async def test_a_version_of_the_last_release_that_waits_is_in_the_work_list(system):
    """As the migration makes it: without an event, so the first one has the number 1."""
    asked = await uploaded(system)
    request = import_module("services.visits.migrations.versions.0021_a_second_person_approves")._request
    outbox = system.runtime.service.tables.bus.outbox
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get(PackVersionRow, UUID(asked["subject_id"]))
        await tx.session.execute(delete(APPROVALS.table))
        await tx.session.execute(delete(outbox))
        await tx.session.execute(insert(APPROVALS.table).values(request(row)))
    [listed] = await requests(system, status="OPEN")
    assert listed["reason"] is None
    await officer(system, f"/approvals/{listed['id']}/approve", body=WHY)
    assert await status_of(system) == "ACTIVATED"
    [(_, headers, _), _] = await system.published()
    assert headers["ce_sequence"] == "1"
