"""A case that is paid or recalled: planned visits are taken off at once, one under way stops at its next step."""

from datetime import timedelta

import pytest

from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from shared.events import cases
from tests.visits.conftest import MONDAY, taipei
from tests.visits.visit.field import NOT_MET, send, started

PAID = {"reason": "PAID"}


def ended(case_id, recalled):
    return cases.CaseRecalled(case_id=case_id) if recalled else cases.CaseClosed(case_id=case_id, **PAID)


@pytest.mark.dialect
@pytest.mark.parametrize(("recalled", "word"), [(False, "CANCELLED_PAID"), (True, "CANCELLED_RECALL")])
async def test_a_planned_visit_is_taken_off_and_the_case_is_not_wanted(system, recalled, word):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    await system.hear(ended(case_id, recalled), ended(case_id, recalled))
    shown = await system.get(f"/visits/{visit}")
    assert (shown["status"], shown["disposition"]) == ("CANCELLED", word)
    assert (await system.types()).count("visit-cancelled") == 1
    async with system.runtime.database.reading() as tx:
        assert not (await tx.session.get_one(CaseloadRow, case_id)).wanted


@pytest.mark.parametrize("recalled", [False, True])
async def test_a_visit_under_way_stops_at_the_check_in_unless_that_was_before(system, recalled):
    case_id, (team, ids) = await system.case(), await system.team()
    visit = await system.visit(case_id, (team, ids))
    await system.post(f"/visits/{visit}/dispatch")
    ten = taipei(MONDAY, 10)
    await system.hear(ended(case_id, recalled), at=ten - timedelta(minutes=10))

    def arrival(collector, minutes):
        at = (ten - timedelta(minutes=minutes)).isoformat()
        return {"collector_id": str(collector), "device_time": at, "latitude": 25.03, "longitude": 121.56}

    await system.post(f"/visits/{visit}/check-in", arrival(ids[0], 11))
    late = await system.post(f"/visits/{visit}/check-in", arrival(ids[1], 0), 409)
    assert late["title"] == "case-closed"


@pytest.mark.parametrize("step", ["dispatch", "depart"])
async def test_no_team_is_sent_or_sets_out_to_a_closed_case(system, step):
    """A visit that was sent, or that another transaction changed while the case was closed, is not taken off."""
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    if step == "depart":
        await system.post(f"/visits/{visit}/dispatch")
    async with system.runtime.database.transaction() as tx:
        caseload.close((await caseload.lock_all(tx, [case_id]))[case_id], taipei(MONDAY, 9), left=False)
    refused = await system.post(f"/visits/{visit}/{step}", expect=409)
    assert refused["title"] == "case-closed"


async def test_no_other_visit_is_wanted_where_no_one_was_met_and_the_case_was_closed_meanwhile(system):
    case_id, visit, team = await started(system)
    await system.hear(ended(case_id, True))
    record = {**NOT_MET, "ended_at": taipei(MONDAY, 10, 5).isoformat()}
    assert (await send(system, visit, "complete", record, by=team[1][0])).json()["status"] == "COMPLETED"
    await system.hear(cases.CaseReopened(case_id=case_id, reason="RECALLED"))
    async with system.runtime.database.reading() as tx:
        assert not (await tx.session.get_one(CaseloadRow, case_id)).wanted


async def test_a_case_that_is_opened_again_is_visited_once_it_is_referred_again(system):
    case_id, team = await system.case(), await system.team()
    await system.hear(ended(case_id, True), cases.CaseReopened(case_id=case_id, reason="RECALLED"))
    await system.hear(cases.CaseReferred(case_id=case_id, referral_id=case_id, rule_id="large", inputs={}))
    visit = await system.visit(case_id, team)
    await system.post(f"/visits/{visit}/dispatch")
