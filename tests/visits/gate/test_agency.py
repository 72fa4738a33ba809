"""What a lender has recorded about us, its agent, decides for its own cases; on both databases."""

from datetime import date

from shared.events.cases import LenderAgencyChanged
from tests.one_service import LENDER

CHINA = {"jurisdiction": "cn", "country": "CN", "time_zone": "Asia/Shanghai"}


async def checked(system, case_id, team_id):
    body = {"case_ids": [str(case_id)], "step": "DISPATCH", "team_id": str(team_id)}
    [item] = (await system.post("/gate-checks", body))["items"]
    stopped = {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"}
    return stopped, item["remedies"]


async def test_until_it_is_known_visits_are_blocked_with_the_remedy_and_it_counts_for_its_lender_alone(system):
    (team, _), mine = await system.team(), await system.case(**CHINA)
    theirs = await system.case(lender_id="lender-2", **CHINA)
    await system.hear(LenderAgencyChanged(lender_id="lender-2", listed=False), lender_id="lender-2", key=theirs)
    stopped, remedies = await checked(system, mine, team)
    assert stopped == {"cn-agency-review", "cn-agency-listed"} == set(remedies)
    assert "PUT /cases/v1/lenders/{id}/agency" in remedies["cn-agency-review"]["en"]
    visit = await system.visit(mine, (team, _))
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert {"PUT /cases/v1/lenders/{id}/agency" in rule["remedy"]["zh"] for rule in refused["rules"]} == {True}
    known = LenderAgencyChanged(lender_id=LENDER, reviewed_on=date(2026, 1, 15), listed=True)
    await system.hear(known, key=mine)
    assert await checked(system, mine, team) == (set(), {})
    assert (await system.post(f"/visits/{visit}/dispatch"))["status"] == "DISPATCHED"
    await system.hear(LenderAgencyChanged(lender_id=LENDER, reviewed_on=date(2025, 1, 15), listed=True), key=mine)
    assert (await checked(system, mine, team))[0] == {"cn-agency-review"}
