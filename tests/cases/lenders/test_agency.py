"""What a lender records about us, its agent: who may, what is refused, and what of it the law asks; on both
databases."""

import json

import pytest

from shared.auth import Role
from tests.one_service import LENDER

PATH = f"/cases/v1/lenders/{LENDER}/agency"
SAID = {"changed_at": "2026-02-20T09:00:00+08:00", "reviewed_on": "2026-01-15", "listed": True}


async def put(system, body, expect=200, *, role=Role.ADMIN, path=PATH, **headers):
    answer = await system.client.put(path, json=body, headers=system.bearer(role) | headers)
    assert answer.status_code == expect, answer.text
    return answer


async def changes(system):
    return [json.loads(data) for kind, _, data in await system.published() if kind == "lender-agency-changed"]


@pytest.fixture
async def lender(system):
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)


@pytest.mark.usefixtures("lender")
async def test_what_is_recorded_replaces_what_was_and_is_published_once(system):
    nothing = await system.get(f"/lenders/{LENDER}/agency", role=Role.LENDER)
    assert nothing == dict.fromkeys(SAID) | {"lender_id": LENDER, "version": 0}
    stored = await put(system, SAID, **{"If-Match": '"0"'})
    assert (stored.headers["etag"], stored.json()["reviewed_on"]) == ('"1"', "2026-01-15")
    again = await put(system, SAID)
    assert again.json()["version"] == 1
    await put(system, {"listed": False}, 412, **{"If-Match": '"0"'})
    await put(system, {"listed": False}, **{"If-Match": '"1"'})
    now = await system.get(f"/lenders/{LENDER}/agency", role=Role.COMPLIANCE)
    assert now == dict.fromkeys(SAID) | {"lender_id": LENDER, "listed": False, "version": 2}
    first, second = await changes(system)
    assert (first["reviewed_on"], second) == ("2026-01-15", {"lender_id": LENDER, "listed": False})
    [*_, (_, headers, _), _] = [each for each in await system.published() if each[0] == "lender-agency-changed"]
    assert (headers["ce_lenderid"], headers["ce_sequence"]) == (LENDER, "1")


@pytest.mark.usefixtures("lender")
@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"reviewed_on": "2026-03-04"}, "reviewed_on"),  # the day after tomorrow
        ({"reviewed_on": "0026-01-01"}, "reviewed_on"),
        ({"changed_at": "2026-03-02T10:00:00"}, "changed_at"),
        ({"listed": "perhaps"}, "listed"),
        ({"lissted": True}, "lissted"),
    ],
)
async def test_what_cannot_be_so_is_named(system, body, word):
    problem = (await put(system, body, 422)).text
    assert word in problem
    assert await changes(system) == []


@pytest.mark.usefixtures("lender")
async def test_an_admin_records_and_another_lender_sees_nothing(system):
    for role in (Role.SUPERVISOR, Role.COMPLIANCE):
        await put(system, SAID, 403, role=role)
    await put(system, SAID, 404, role=Role.LENDER)
    await put(system, SAID, 404, path="/cases/v1/lenders/nobody/agency")
    await system.get(f"/lenders/{LENDER}/agency", 404, Role.LENDER, lender_id="lender-2")
    await system.get("/lenders/nobody/agency", 404, Role.SUPERVISOR)


async def test_a_change_of_the_agent_asks_for_a_new_notice_before_a_call_in_india(system):
    """The contact check knew nothing of it before: it let a call pass that a visit was blocked for."""
    notice = {"channel": "LETTER", "sent_at": "2026-02-10T10:00:00+05:30", "proof_digest": "5a" * 32}
    [case] = await system.place("A-1", jurisdiction="in", country="IN", time_zone="Asia/Kolkata", notice=notice)
    told = {"case_id": case, "kind": "AGENT", "channel": "LETTER", "proof_digest": "5a" * 32}
    await system.post("/notices", {"notices": [told | {"sent_at": "2026-02-10T10:00:00+05:30"}]})
    call = {"contacts": [{"case_id": case, "at": "2026-03-02T11:00:00+05:30"}]}

    async def stopped():
        [item] = (await system.post("/contact-checks", call))["items"]
        return [each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"]

    assert await stopped() == []
    await put(system, SAID)
    assert await stopped() == ["in-prior-notice"]
    await system.post("/notices", {"notices": [told | {"sent_at": "2026-02-21T10:00:00+05:30"}]})
    assert await stopped() == []
