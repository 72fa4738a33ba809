"""Each event of cases names the retention class of its case: by the law of the place, for the case's product."""

import json

import pytest
from sqlalchemy import event

from services.cases.debtors.usecases import record_reading
from shared.auth import Role
from shared.events.visits import RulePackActivated
from shared.ids import new_id
from shared.law.packs import PACKS
from tests.actors.samples import PROFILE

CHINA = {
    "country": "CN",
    "jurisdiction": "cn",
    "time_zone": "Asia/Shanghai",
    "columns": PROFILE["columns"] | {"product": "account"},
    "codes": {"product": {"A-1": "CREDIT_CARD", "A-2": "CONSUMER_LOAN"}},
}
CLASSES = ["cn-retain-card", "cn-retain-cfc"]


async def classes(system, case_id):
    """The retention classes of the events that a case is the key of."""
    told = [headers for _, headers, _ in await system.published() if headers["ce_partitionkey"] == str(case_id)]
    return {headers["ce_retention"] for headers in told}, len(told)


@pytest.mark.dialect
async def test_two_products_two_classes_in_each_event(system):
    cases = await system.place("A-1", "A-2", **CHINA)
    opened = [await classes(system, case) for case in cases]
    assert [found for found, _ in opened] == [{CLASSES[0]}, {CLASSES[1]}]
    for case in cases:
        body = {"kind": "CONDUCT", "channel": "LETTER", "filed_at": "2026-03-02T04:00:00Z"}
        await system.post(f"/cases/{case}/complaints", body, 201)
        await system.get(f"/cases/{case}/dossier", reason="VISIT")
    for case, (_, count), wanted in zip(cases, opened, CLASSES, strict=True):
        found, more = await classes(system, case)
        assert found == {wanted}
        assert more == count + 2  # the complaint and its hold
    readings = [headers["ce_retention"] for kind, headers, _ in await system.published() if kind == "dossier-read"]
    assert readings == CLASSES


async def test_a_reading_of_several_cases_has_the_longest_class_and_one_of_none_the_houses(system):
    cases = await system.place("A-1", "A-2", **CHINA)
    async with system.runtime.database.transaction() as tx:
        record_reading(tx, cases, reason="VISIT", lender_id=None)
        record_reading(tx, [new_id()], reason="VISIT", lender_id=None)
    *_, several, unknown = await system.published()
    assert [each[1]["ce_retention"] for each in (several, unknown)] == ["cn-retain-cfc", "house-retain"]
    path = "/cases/v1/lenders/lender-1/agency"
    answer = await system.client.put(path, json={"listed": True}, headers=system.bearer(Role.ADMIN))
    assert answer.status_code == 200
    kind, headers, _ = (await system.published())[-1]
    assert (kind, headers["ce_retention"]) == ("lender-agency-changed", "house-retain")


async def test_rows_that_the_transaction_knows_are_not_read_again(system):
    [case, _] = await system.place("A-1", "A-2", **CHINA)
    asked = []
    event.listen(
        system.runtime.database.engine.sync_engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )
    body = {"reason": "LENDER_INSTRUCTION", "scope": "all", "review_on": "2026-03-09"}
    await system.post(f"/cases/{case}/holds", body, 201)
    assert (await classes(system, case))[0] == {"cn-retain-card"}
    assert sum("FROM case_file" in each for each in asked) == 1


async def test_a_law_that_came_into_force_counts_from_its_day(system):
    [case, _] = await system.place("A-1", "A-2", **CHINA)
    text = (PACKS / "cn.yaml").read_text()
    text = text.replace("parameters: {years: 2, records: card}", "parameters: {years: 9, records: all}")
    await system.hear(
        RulePackActivated(
            pack_version_id=new_id(),
            pack="cn",
            pack_version="2026.9",
            pack_digest="5a" * 32,
            effective_from="2026-03-02",
            yaml=text.replace("id: cn-retain-card", "id: cn-retain-all"),
        ),
        key=new_id(),
    )
    body = {"reason": "LENDER_INSTRUCTION", "scope": "all", "review_on": "2026-03-09"}
    await system.post(f"/cases/{case}/holds", body, 201)
    _, headers, payload = (await system.published())[-1]
    assert json.loads(payload)["case_id"] == str(case)
    assert headers["ce_retention"] == "cn-retain-all"
