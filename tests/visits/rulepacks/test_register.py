"""The register of rule packs: four eyes, withdrawal before the first day, officers who act at the same moment."""

import asyncio
from datetime import datetime

import pytest
import sqlalchemy as sa
from alembic import command

from services.visits.rulepacks import queries
from services.visits.worker import SERVICE
from shared import migrations
from shared.auth import Role
from shared.law import load_packs, read_pack

TW = load_packs()["tw"].text
NEXT_DAY = "2026-03-04T02:00:00Z"  # when the day after tomorrow has begun in Taipei


def named(version, text=TW):
    return text.replace(f'version: "{load_packs()["tw"].version}"', f'version: "{version}"')


def of_pack(pack, version="1", within=None):
    """The text of another pack with the rules of tw."""
    text = named(version).replace("id: tw\n", f"id: {pack}\n" + (f"within: {within}\n" if within else ""))
    return text.replace("- id: tw-", f"- id: {pack}-")


async def upload(system, version, subject, day="2026-04-01", pack="tw", text=None):
    headers = system.bearer(Role.COMPLIANCE, subject=subject) | {"Content-Type": "application/yaml"}
    path = f"/visits/v1/rule-packs/{pack}/versions?effective_from={day}"
    return await system.client.post(path, content=text or named(version), headers=headers)


async def decide(system, what, version, subject, pack="tw", **headers):
    path = f"/visits/v1/rule-packs/{pack}/versions/{version}/{what}"
    return await system.client.post(path, headers=system.bearer(Role.COMPLIANCE, subject=subject) | headers)


async def approve(system, version, subject, pack="tw"):
    return await decide(system, "approve", version, subject, pack)


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


async def in_force(system, day):
    return (await system.get("/rule-packs/tw", role=Role.COMPLIANCE, day=day))["version"]


@pytest.mark.dialect
async def test_an_approved_version_is_withdrawn_before_its_first_day_and_the_law_is_as_before(system):
    shipped = await in_force(system, "2026-04-01")
    uploaded = await upload(system, "2027.1", "anna")
    assert (await approve(system, "2027.1", "berta")).headers.get("etag") is None
    assert await in_force(system, "2026-04-01") == "2027.1"
    stale = await decide(system, "withdraw", "2027.1", "anna", **{"If-Match": uploaded.headers.get("etag", '"0"')})
    assert stale.status_code == 412
    withdrawn = (await decide(system, "withdraw", "2027.1", "anna", **{"If-Match": '"1"'})).json()
    assert (withdrawn["status"], withdrawn["standing"]) == ("WITHDRAWN", "WITHDRAWN")
    assert (withdrawn["decided_by"], withdrawn["withdrawn_by"]) == ("compliance:berta", "compliance:anna")
    assert await in_force(system, "2026-04-01") == shipped
    assert (await decide(system, "withdraw", "2027.1", "anna")).json()["title"] == "pack-decided"
    assert (await approve(system, "2027.1", "berta")).json()["title"] == "pack-decided"
    assert (await upload(system, "2027.1", "anna")).json()["title"] == "pack-version-exists"
    assert (await upload(system, "2027.2", "anna")).status_code == 201  # the day is free again
    assert (await approve(system, "2027.2", "berta")).status_code == 200
    assert await in_force(system, "2026-04-01") == "2027.2"
    told = [kind for kind in await system.types() if kind.startswith("rule-pack")]
    assert told == ["rule-pack-activated", "rule-pack-withdrawn", "rule-pack-activated"]


async def test_a_proposal_is_withdrawn_by_its_uploader_and_no_other_service_hears_of_it(system):
    await upload(system, "2027.1", "anna")
    answer = await decide(system, "withdraw", "2027.1", "anna")
    assert (answer.status_code, answer.json()["decided_by"]) == (200, None)
    assert await system.types() == ["approval-asked", "approval-expired"]
    assert (await system.get("/rule-packs/tw", role=Role.COMPLIANCE))["waiting"] == 0


async def test_a_version_whose_day_has_begun_is_not_withdrawn(system):
    await upload(system, "2027.1", "anna", day="2026-03-04")
    await approve(system, "2027.1", "berta")
    await system.at(datetime.fromisoformat(NEXT_DAY))
    answer = await decide(system, "withdraw", "2027.1", "anna")
    assert (answer.status_code, answer.json()["title"]) == (409, "pack-version-begun")
    assert await in_force(system, "2026-03-04") == "2027.1"
    missing = await decide(system, "withdraw", load_packs()["tw"].version, "anna")
    assert (missing.status_code, missing.json()["title"]) == (404, "pack-version-not-found")


async def test_a_pack_that_another_lies_within_is_not_withdrawn_before_it(system):
    """Nor is one approved whose larger pack was withdrawn meanwhile: every service would fail to read the law."""
    await upload(system, "1", "anna", pack="au", text=of_pack("au"))
    await approve(system, "1", "berta", pack="au")
    inner, other = of_pack("au-nsw", within="au"), of_pack("au-vic", within="au")
    assert (await upload(system, "1", "anna", pack="au-nsw", text=inner)).status_code == 201
    assert (await upload(system, "1", "anna", pack="au-vic", text=other)).status_code == 201
    assert (await approve(system, "1", "berta", pack="au-nsw")).status_code == 200
    needed = await decide(system, "withdraw", "1", "anna", pack="au")
    assert (needed.status_code, needed.json()["title"]) == (409, "pack-needed")
    assert (await decide(system, "withdraw", "1", "anna", pack="au-nsw")).status_code == 200
    assert (await decide(system, "withdraw", "1", "anna", pack="au")).status_code == 200
    late = await approve(system, "1", "berta", pack="au-vic")
    assert (late.status_code, late.json()["title"]) == (422, "pack-out-of-place")
    await system.get("/rule-packs", role=Role.COMPLIANCE)


async def test_a_version_names_its_first_use(system):
    path = f"/rule-packs/tw/versions/{load_packs()['tw'].version}"
    assert (await system.get(path, role=Role.COMPLIANCE))["first_used_at"] is None
    visit = await system.visit(await system.case(), await system.team())
    await system.post(f"/visits/{visit}/dispatch")
    used = (await system.get(path, role=Role.COMPLIANCE))["first_used_at"]
    await system.at(datetime.fromisoformat(NEXT_DAY))
    assert used == "2026-03-02T02:00:00Z"
    assert (await system.get(path, role=Role.COMPLIANCE))["first_used_at"] == used


async def test_a_version_that_a_later_release_ships_is_still_shown_as_it_was_decided(system, monkeypatch):
    await upload(system, "2027.1", "anna")
    monkeypatch.setattr(queries, "load_packs", lambda: {"tw": read_pack("tw.yaml", named("2027.1").encode())})
    path = "/visits/v1/rule-packs/tw/versions/2027.1"
    shown = await system.client.get(path, headers=system.bearer(Role.COMPLIANCE))
    assert (shown.json()["status"], shown.json()["uploaded_by"]) == ("PROPOSED", "compliance:anna")
    rejected = await decide(system, "reject", "2027.1", "berta", **{"If-Match": shown.headers["etag"]})
    assert rejected.json()["status"] == "REJECTED"
    again = await system.client.get(path, headers=system.bearer(Role.COMPLIANCE))
    assert (again.json()["status"], again.headers["etag"]) == ("REJECTED", '"1"')


@pytest.mark.dialect
async def test_versions_of_the_last_release_keep_their_order_and_text(system, settings):
    for version, subject in (("b", "anna"), ("a", "berta"), ("c", "anna")):
        await upload(system, version, subject)
    await approve(system, "b", "berta")
    before = await system.get("/rule-packs/tw/versions", role=Role.COMPLIANCE)
    url = settings.database_url_of("visits")
    await asyncio.to_thread(command.downgrade, migrations.config_of(SERVICE.migrations, url), "0019")
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    assert await system.get("/rule-packs/tw/versions", role=Role.COMPLIANCE) == before
    assert [each["version"] for each in before["items"]][1:] == ["b", "a", "c"]
    assert (await system.get("/rule-packs/tw/versions/a", role=Role.COMPLIANCE))["yaml"] == named("a")
    async with system.runtime.database.transaction() as tx:
        statement = sa.text("SELECT number FROM rule_pack_version ORDER BY id")
        assert list(await tx.session.scalars(statement)) == [1, 2, 3]
