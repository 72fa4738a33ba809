"""Officers who do the same at the same moment; on both databases."""

import asyncio

import pytest

from shared.auth import Role
from shared.law import load_packs

TW = load_packs()["tw"].text


def named(version):
    return TW.replace(f'version: "{load_packs()["tw"].version}"', f'version: "{version}"')


async def upload(system, version, subject, day="2026-04-01"):
    headers = system.bearer(Role.COMPLIANCE, subject=subject) | {"Content-Type": "application/yaml"}
    path = f"/visits/v1/rule-packs/tw/versions?effective_from={day}"
    return await system.client.post(path, content=named(version), headers=headers)


async def approve(system, version, subject):
    path = f"/visits/v1/rule-packs/tw/versions/{version}/approve"
    return await system.client.post(path, headers=system.bearer(Role.COMPLIANCE, subject=subject))


@pytest.mark.dialect
async def test_a_version_is_uploaded_once_and_a_day_given_once(system):
    answers = await asyncio.gather(*(upload(system, "2027.1", f"officer-{n}") for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    assert (await upload(system, "2027.2", "officer-7")).status_code == 201
    decided = await asyncio.gather(*(approve(system, each, "officer-9") for each in ("2027.1", "2027.2")))
    assert sorted(answer.status_code for answer in decided) == [200, 409]
    assert {answer.json()["title"] for answer in decided if answer.status_code == 409} == {"day-taken"}
    assert (await system.types()).count("rule-pack-activated") == 1


@pytest.mark.dialect
async def test_a_back_test_reads_what_was_decided(system):
    visit = await system.visit(await system.case(), await system.team())
    await system.post(f"/visits/{visit}/dispatch")
    late = TW.replace("from: 07:00", "from: 11:00")
    body = {"yaml": late, "first_day": "2026-03-02", "last_day": "2026-03-02"}
    found = await system.post("/rule-packs/tw/back-test", body, role=Role.COMPLIANCE)
    changed = {each["rule_id"]: each["changed"] for each in found["rules"] if each["changed"]}
    assert (found["decisions"], changed) == (1, {"tw-hours": 1})
    assert found["verdicts"] == [{"before": "pass", "after": "block", "count": 1}]
    nothing = body | {"first_day": "2026-03-03", "last_day": "2026-03-03"}
    assert (await system.post("/rule-packs/tw/back-test", nothing))["decisions"] == 0
    await system.post("/rule-packs/tw/back-test", body | {"first_day": "2026-03-03"}, expect=422)


@pytest.mark.dialect
async def test_a_pack_is_shown_with_what_it_says_and_a_states_has_its_address(system):
    tw = await system.get("/rule-packs/tw", role=Role.COMPLIANCE)
    [hours] = [rule for rule in tw["rule_list"] if rule["id"] == "tw-hours"]
    assert hours["enabled"] is True
    assert hours["parameters"] == {"from": "07:00", "until": "22:00", "until_included": True}
    text = named("1").replace("id: tw\n", "id: au-nsw\n").replace("- id: tw-", "- id: au-nsw-")
    headers = system.bearer(Role.COMPLIANCE) | {"Content-Type": "application/yaml"}
    path = "/visits/v1/rule-packs/au-nsw/versions?effective_from=2026-04-01"
    found = await system.client.post(path, content=text, headers=headers)
    assert found.status_code == 201, found.text
    assert (await system.client.get(found.headers["Location"], headers=headers)).status_code == 200
