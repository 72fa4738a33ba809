"""What an abort leads to."""

from datetime import date, timedelta

import pytest

from services.visits.caseload.tables import CaseloadRow
from shared.events import cases
from tests.visits.conftest import DIGEST, MONDAY, System, taipei
from tests.visits.visit.field import events, send, sent

TUESDAY = MONDAY + timedelta(days=1)
PLAN = {"ground": "SAFETY_PLAN", "proof_digest": DIGEST}


async def stopped(system: System, case_id: object, team: object, day: date) -> set[str]:
    """The rules that stop a visit of that day."""
    body = {"case_ids": [str(case_id)], "at": taipei(day, 12).isoformat(), "step": "PLAN"}
    [item] = (await system.post("/gate-checks", body))["items"]
    return {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"}


@pytest.mark.dialect
async def test_after_an_unsafe_visit_a_new_safety_plan_is_needed_for_all_cases_of_the_person(system: System) -> None:
    case_id, visit, team = await sent(system)
    other = await system.case()
    for each in (case_id, other):
        await system.hear(cases.DebtorRecognised(case_id=each, person_ref="7c" * 16), lender_id=None)
    await system.post("/grounds", PLAN | {"case_id": str(case_id)}, expect=201)  # it did not make this visit safe
    await system.at(taipei(MONDAY, 11))
    body = {"reason": "SAFETY_ABORT", "at": taipei(MONDAY, 10, 30).isoformat()}
    assert (await send(system, visit, "abort", body, by=team[1][0])).status_code == 200
    assert [await stopped(system, each, team, TUESDAY) for each in (case_id, other)] == [{"house-hazard"}] * 2
    [incident] = await events(system, "incident-reported")
    assert (incident["kind"], incident["visit_id"]) == ("SAFETY", str(visit))
    assert incident["collector_ids"] == [str(each) for each in team[1]]
    await system.hear(cases.AddressVerified(case_id=case_id, address_id=visit, verified=True, hazard=False))
    assert await stopped(system, case_id, team, TUESDAY) == {"house-hazard"}
    await system.post("/grounds", PLAN | {"case_id": str(case_id)}, expect=201)
    assert [await stopped(system, each, team, TUESDAY) for each in (case_id, other)] == [set(), {"house-hazard"}]


async def test_a_case_of_which_the_person_is_recognised_later_is_unsafe_too(system: System) -> None:
    case_id, visit, team = await sent(system)
    other = await system.case()
    await send(system, visit, "abort", {"reason": "SAFETY_ABORT"}, by=team[1][0])
    assert await stopped(system, other, team, TUESDAY) == set()
    for each in (case_id, other):
        await system.hear(cases.DebtorRecognised(case_id=each, person_ref="7c" * 16), lender_id=None)
    assert [await stopped(system, each, team, TUESDAY) for each in (case_id, other)] == [{"house-hazard"}] * 2


async def test_a_visit_that_is_cancelled_as_unsafe_has_the_same_consequences(system: System) -> None:
    case_id, team = await system.case(), await system.team()
    await system.post(f"/visits/{await system.visit(case_id, team)}/cancel", {"reason": "SAFETY_ABORT"})
    assert await stopped(system, case_id, team, TUESDAY) == {"house-hazard"}
    [incident] = await events(system, "incident-reported")
    assert incident["kind"] == "SAFETY"


@pytest.mark.parametrize("reason", ["COLLECTOR_UNAVAILABLE", "ROUTE_OVERRUN", "SAFETY_ABORT"])
async def test_the_case_of_an_abort_is_wanted_from_the_next_day_on(system: System, reason: str) -> None:
    case_id, visit, team = await sent(system)
    await send(system, visit, "abort", {"reason": reason}, by=team[1][0])
    async with system.runtime.database.reading() as tx:
        row = await tx.session.get_one(CaseloadRow, case_id)
    assert (row.wanted, row.not_before) == (True, TUESDAY)
    assert (await system.types()).count("incident-reported") == (reason == "SAFETY_ABORT")


async def test_a_later_day_that_is_known_stays(system: System) -> None:
    case_id, visit, team = await sent(system)
    async with system.runtime.database.transaction() as tx:
        (await tx.session.get_one(CaseloadRow, case_id)).not_before = date(2026, 4, 1)
    await send(system, visit, "abort", {"reason": "ROUTE_OVERRUN"}, by=team[1][0])
    async with system.runtime.database.reading() as tx:
        assert (await tx.session.get_one(CaseloadRow, case_id)).not_before == date(2026, 4, 1)


@pytest.mark.dialect
async def test_the_time_of_an_abort_is_held_to_the_phones_clock(system: System) -> None:
    _, visit, team = await sent(system)
    ahead = taipei(MONDAY, 13)
    body = {"reason": "ROUTE_OVERRUN", "at": ahead.isoformat(), "device_now": ahead.isoformat()}
    answer = await send(system, visit, "abort", body, by=team[1][0])
    assert (answer.json()["ended_at"][:16], answer.json()["flags"]) == ("2026-03-02T02:00", ["CLOCK_CORRECTED"])
    [event] = await events(system, "visit-aborted")
    assert (event["at"][:16], event["reported"]["clock_error_seconds"]) == ("2026-03-02T02:00", 3 * 3600)
    for body in ({"reason": "NO_ANSWER"}, {"reason": "ROUTE_OVERRUN", "at": "2020-01-01T00:00:00Z"}):
        _, visit, team = await sent(system)
        assert (await send(system, visit, "abort", body, by=team[1][0])).status_code in (403, 422)
