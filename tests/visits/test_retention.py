"""Each event of visits names the retention class of its case: by the law of the place, for the case's product."""

import pytest

CHINA = {"jurisdiction": "cn", "country": "CN", "time_zone": "Asia/Shanghai"}


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("product", "retention"), [("CREDIT_CARD", "cn-retain-card"), ("CONSUMER_LOAN", "cn-retain-cfc")]
)
async def test_the_products_class_is_in_each_event_of_a_case(system, product, retention):
    case, team = await system.case(product=product, **CHINA), await system.team()
    visit = await system.visit(case, team)
    await system.post(f"/visits/{visit}/dispatch", expect=409)  # the lender has recorded nothing about us
    await system.post(f"/visits/{visit}/cancel", {"reason": "COLLECTOR_UNAVAILABLE"})
    told = [(kind, headers) for kind, headers, _ in await system.published()]
    of_case = {kind: headers["ce_retention"] for kind, headers in told if headers["ce_partitionkey"] == str(case)}
    assert of_case == dict.fromkeys(of_case, retention)
    assert of_case.keys() >= {"gate-decided", "visit-blocked", "visit-cancelled"}
    people = {headers["ce_retention"] for kind, headers in told if kind == "collector-status-changed"}
    assert people == {"house-retain"}
