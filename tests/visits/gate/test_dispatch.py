"""What stops a team, what lets it go, and what of it is kept; on both databases."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.visits.base import LAWBOOK
from services.visits.caseload.tables import CaseloadRow
from shared.auth import Role
from shared.events import cases, followup
from shared.events.values import Amount, Instalment
from shared.ids import new_id
from shared.law import Law
from tests.visits.conftest import DIGEST, MONDAY, taipei

HOLIDAY = date(2026, 4, 6)  # in Taiwan, for the Tomb-Sweeping Festival


async def press(system, *visit_ids):
    """Several people press the button at the same moment."""
    headers = system.bearer(Role.SUPERVISOR)
    paths = [f"/visits/v1/visits/{visit_id}/dispatch" for visit_id in visit_ids]
    return await asyncio.gather(*(system.client.post(path, headers=headers) for path in paths))


async def consent(system, case_id, scope, valid_until=None):
    consent_id = new_id()
    given = cases.ConsentRecorded(
        case_id=case_id,
        consent_id=consent_id,
        scope=scope,
        channel="IN_WRITING",
        given_at=taipei(MONDAY, 9),
        valid_until=valid_until,
        proof_digest=DIGEST,
    )
    await system.hear(given)
    return str(consent_id)


@pytest.mark.dialect
async def test_of_two_dispatches_at_the_same_moment_under_a_cap_one_gets_through(system):
    """One visit with contact in seven days: two visits of one case, planned for two teams, both sent at once."""
    teams = [await system.team(), await system.team()]
    for _ in range(5):
        case_id = await system.case()
        visits = [await system.visit(case_id, team) for team in teams]
        answers = await press(system, *visits)
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [refused] = [answer.json() for answer in answers if answer.status_code == 409]
        assert {rule["rule_id"] for rule in refused["rules"]} == {"house-visit-cap"}
        stored = await system.get(f"/decisions/{refused['decision_id']}")
        assert (stored["verdict"], stored["step"]) == ("block", "DISPATCH")
    kinds = await system.types()
    assert (kinds.count("visit-dispatched"), kinds.count("visit-blocked")) == (5, 5)


async def test_a_person_is_counted_across_lenders(system):
    """Two lenders, one debtor: two dispatches at once let one through, and so it stays once the visit was made."""
    teams = [await system.team(), await system.team()]
    mine = await system.case()
    theirs = await system.case(lender_id="lender-2")
    stranger = await system.case(lender_id="lender-2")
    for case_id, ref in ((mine, "5a" * 16), (theirs, "5a" * 16), (stranger, "6b" * 16)):
        await system.hear(cases.DebtorRecognised(case_id=case_id, person_ref=ref), lender_id=None)
    visits = [await system.visit(case_id, team) for case_id, team in zip((mine, theirs), teams, strict=True)]
    answers = await press(system, *visits)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    sent = visits[[answer.status_code for answer in answers].index(200)]
    team = teams[visits.index(sent)]
    arrival = {"device_time": "2026-03-02T10:00:00+08:00", "latitude": 25.03, "longitude": 121.56, "accuracy_m": 9}
    for collector_id in team[1]:
        await system.post(f"/visits/{sent}/check-in", arrival | {"collector_id": str(collector_id)})
    record = {"ended_at": "2026-03-02T10:00:00+08:00", "disposition": "REFUSED_TO_PAY", "person_met": "DEBTOR"}
    await system.post(f"/visits/{sent}/complete", record)
    body = {"case_ids": [str(mine), str(theirs), str(stranger)], "at": "2026-03-05T10:00:00+08:00"}
    items = (await system.post("/gate-checks", body))["items"]
    stopped = [
        {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"} for item in items
    ]
    assert stopped == [{"house-visit-cap"}, {"house-visit-cap"}, set()]
    assert items[0]["earliest_lawful_at"] == items[1]["earliest_lawful_at"] == "2026-03-09T10:00:00+08:00"


@pytest.mark.dialect
async def test_a_case_that_is_recognised_late_counts_what_was_before(system):
    team = await system.team()
    mine, theirs = await system.case(), await system.case()
    await system.hear(cases.DebtorRecognised(case_id=mine, person_ref="7c" * 16), lender_id=None)
    visit = await system.visit(mine, team)
    await system.post(f"/visits/{visit}/dispatch")
    arrival = {"device_time": "2026-03-02T10:00:00+08:00", "latitude": 25.03, "longitude": 121.56, "accuracy_m": 9}
    for collector_id in team[1]:
        await system.post(f"/visits/{visit}/check-in", arrival | {"collector_id": str(collector_id)})
    record = {"ended_at": "2026-03-02T10:00:00+08:00", "disposition": "REFUSED_TO_PAY", "person_met": "DEBTOR"}
    await system.post(f"/visits/{visit}/complete", record)
    await system.hear(cases.DebtorRecognised(case_id=theirs, person_ref="7c" * 16), lender_id=None)
    refused = await system.post(f"/visits/{await system.visit(theirs, team)}/dispatch", expect=409)
    assert {rule["rule_id"] for rule in refused["rules"]} == {"house-visit-cap"}


async def test_twenty_dispatches_of_one_visit_send_once(system):
    visit = await system.visit(await system.case(), await system.team())
    answers = await press(system, *[visit] * 20)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert (await system.types()).count("visit-dispatched") == 1


@pytest.mark.dialect
async def test_an_override_is_evidence_of_its_own(system):
    case_id, team = await system.case(), await system.team()
    await system.at(taipei(HOLIDAY, 10))
    visit = await system.visit(case_id, team, day=HOLIDAY)
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    [rule] = refused["rules"]
    assert (rule["rule_id"], rule["override"]) == ("house-holiday", "DEBTOR_REQUEST")
    asked_for = await consent(system, case_id, "DEBTOR_REQUEST")
    assert (await system.post(f"/visits/{visit}/dispatch"))["status"] == "DISPATCHED"
    [decision] = (await system.get("/decisions", case_id=str(case_id), verdict="pass"))["items"] or (
        await system.get("/decisions", case_id=str(case_id), verdict="warn")
    )["items"]
    [lifted] = [each for each in decision["decision"]["findings"] if each["overridden_by"]]
    assert (lifted["rule_id"], lifted["overridden_by"], lifted["verdict"]) == ("house-holiday", asked_for, "pass")
    assert (await system.types()).count("override-used") == 1
    assert (await system.post(f"/decisions/{decision['id']}/replay"))["same"]


async def test_a_role_alone_lifts_nothing_and_another_consent_neither(system):
    case_id, team = await system.case(), await system.team()
    await system.at(taipei(HOLIDAY, 10))
    visit = await system.visit(case_id, team, day=HOLIDAY)
    await consent(system, case_id, "HOURS")
    body = {"override": "DEBTOR_REQUEST", "reason": "I am the supervisor"}
    await system.post(f"/visits/{visit}/dispatch", body, expect=409)


@pytest.mark.dialect
async def test_a_hazard_needs_a_safety_plan(system):
    case_id, team = await system.case(hazard=True), await system.team()
    visit = await system.visit(case_id, team)
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert refused["rules"][0]["override"] == "SAFETY_PLAN"
    ground = {"case_id": str(case_id), "ground": "SAFETY_PLAN", "proof_digest": DIGEST}
    await system.post("/grounds", ground, expect=403, role=Role.COMPLIANCE)
    await system.post("/grounds", ground | {"valid_until": "2026-01-01T00:00:00+08:00"}, expect=422)
    await system.post("/grounds", ground | {"ground": "I_SAY_SO"}, expect=422)
    await system.post("/grounds", ground | {"case_id": str(new_id())}, expect=404)
    made = await system.post("/grounds", ground | {"valid_until": "2026-03-03T00:00:00+08:00"}, expect=201)
    [listed] = (await system.get("/grounds", case_id=str(case_id)))["items"]
    assert (listed["id"], listed["recorded_by"]) == (made["id"], "supervisor:a-person")
    assert (await system.post(f"/visits/{visit}/dispatch"))["status"] == "DISPATCHED"
    kinds = await system.types()
    assert (kinds.count("ground-recorded"), kinds.count("override-used")) == (1, 1)


async def test_a_hold_that_comes_between_plan_and_door_stops_the_check_in(system):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    await system.post(f"/visits/{visit}/dispatch")
    held = cases.CaseHeld(
        case_id=case_id, hold_id=new_id(), reason="CEASE_REQUEST", scope="all", review_on=date(2026, 4, 1)
    )
    await system.hear(held)
    arrival = {"device_time": "2026-03-02T10:00:00+08:00", "latitude": 25.03, "longitude": 121.56, "accuracy_m": 9}
    answers = []
    for collector_id in team[1]:
        body = arrival | {"collector_id": str(collector_id)}
        path = f"/visits/v1/visits/{visit}/check-in"
        answers.append(await system.client.post(path, json=body, headers=system.bearer(Role.SUPERVISOR)))
    assert [answer.status_code for answer in answers] == [200, 409]
    assert {rule["rule_id"] for rule in answers[1].json()["rules"]} == {"house-hold"}
    assert (await system.types())[-2:] == ["gate-decided", "visit-blocked"]


async def test_a_record_without_its_proofs_is_an_incident_and_on_the_work_list(system):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    await system.post(f"/visits/{visit}/dispatch")
    arrival = {"device_time": "2026-03-02T10:00:00+08:00", "latitude": 25.03, "longitude": 121.56, "accuracy_m": 9}
    for collector_id in team[1]:
        await system.post(f"/visits/{visit}/check-in", arrival | {"collector_id": str(collector_id)})
    record = {
        "ended_at": "2026-03-02T10:00:00+08:00",
        "disposition": "REFUSED_TO_PAY",
        "person_met": "DEBTOR",
        "indoor": True,
        "conduct": ["PROPERTY_TAKEN"],
    }
    tomorrow = "2026-03-03T10:00:00+08:00"
    for name in ("ended_at", "asked_to_leave_at", "left_at"):
        await system.post(f"/visits/{visit}/complete", record | {name: tomorrow}, expect=422)
    with_words = record | {"consents": {"ENTRY": "he said yes"}}
    await system.post(f"/visits/{visit}/complete", with_words, expect=422)
    done = await system.post(f"/visits/{visit}/complete", record)
    assert done["status"] == "COMPLETED"
    assert "authority_shown" in done["missing"]
    [listed] = (await system.get("/incomplete-records"))["items"]
    assert (listed["id"], listed["missing"]) == (str(visit), done["missing"])
    assert listed["decision_id"] == done["decision_id"]
    await system.get("/incomplete-records", expect=403, role=Role.COLLECTOR)
    assert (await system.types()).count("incident-reported") == 2
    assert (await system.post(f"/decisions/{done['decision_id']}/replay"))["same"]


async def test_a_dry_run_names_the_earliest_lawful_time_and_its_rule(system):
    case_id, team = await system.case(), await system.team()
    body = {"case_ids": [str(case_id)], "team_id": str(team[0]), "step": "DISPATCH"}
    [now] = (await system.post("/gate-checks", body))["items"]
    assert (now["decision"]["verdict"] != "block", now["because"]) == (True, None)
    [night] = (await system.post("/gate-checks", body | {"at": "2026-03-02T23:00:00+08:00"}))["items"]
    assert night["earliest_lawful_at"].startswith("2026-03-03T07:00:00")
    assert night["because"]["rule_id"] == "tw-hours"
    assert night["because"]["reason"]["zh"]
    [day] = (await system.post("/lawful-windows", {"case_ids": [str(case_id)], "day": "2026-03-02"}))["items"]
    assert [window["start"][:16] for window in day["windows"]] == ["2026-03-02T07:00"]
    [holiday] = (await system.post("/lawful-windows", {"case_ids": [str(case_id)], "day": str(HOLIDAY)}))["items"]
    assert (holiday["windows"], holiday["rule_id"]) == ([], "house-holiday")
    assert await system.types() == ["collector-status-changed"] * 2


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"at": "2026-03-02T10:00:00"}, 422),
        ({"case_ids": []}, 422),
        ({"case_ids": [str(new_id())] * 201}, 422),
        ({"case_ids": [str(new_id())]}, 404),
        ({"team_id": str(new_id())}, 404),
        ({"step": "DANCE"}, 422),
    ],
)
async def test_a_dry_run_that_cannot_be_meant_is_refused(system, change, status):
    case_id = await system.case()
    problem = await system.post("/gate-checks", {"case_ids": [str(case_id)]} | change, expect=status)
    assert problem["status"] == status


@pytest.mark.parametrize(
    ("step", "door"), [("CALL", "contact-checks"), ("LETTER", "contact-checks"), ("INTAKE", "placements")]
)
async def test_what_cases_judges_is_answered_with_its_address(system, step, door):
    """Without the calls so far, the gate here would allow or forbid what cases does not."""
    case_id = await system.case()
    problem = await system.post("/gate-checks", {"case_ids": [str(case_id)], "step": step}, expect=422)
    assert (problem["type"].rpartition(":")[2].rpartition("/")[2], problem["ask"]) == (
        "judged-by-cases",
        f"/cases/v1/{door}",
    )
    assert f"POST /cases/v1/{door}" in problem["detail"]


async def test_a_place_without_a_law_has_the_house_rules_and_a_warning(system):
    case_id = await system.case(jurisdiction="zz", country="NZ", time_zone="Pacific/Auckland")
    body = {"case_ids": [str(case_id)], "at": "2026-03-03T10:00:00+13:00"}
    [item] = (await system.post("/gate-checks", body))["items"]
    assert item["decision"]["verdict"] == "warn"
    assert "house-no-law" in {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "warn"}


@pytest.mark.dialect
async def test_a_place_at_sea_is_blocked_until_it_is_known(system):
    case_id = await system.case(country="US", jurisdiction="us", time_zone="")
    [item] = (await system.post("/gate-checks", {"case_ids": [str(case_id)]}))["items"]
    assert item["decision"]["verdict"] == "block"
    assert item["earliest_lawful_at"] is None
    assert item["because"]["rule_id"] == "house-place"


async def test_a_late_report_is_judged_at_the_time_of_the_act(system):
    """A consent that was withdrawn after the act still counts for it."""
    case_id = await system.case()
    consent_id = await consent(system, case_id, "HOURS")
    withdrawn = cases.ConsentWithdrawn(
        case_id=case_id, consent_id=consent_id, scope="HOURS", withdrawn_at=taipei(MONDAY + timedelta(days=1), 9)
    )
    await system.hear(withdrawn)
    body = {"case_ids": [str(case_id)]}
    for day, lawful in ((MONDAY, True), (MONDAY + timedelta(days=1), False)):
        [item] = (await system.post("/gate-checks", body | {"at": taipei(day, 23).isoformat()}))["items"]
        blocked = {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"}
        assert ("tw-hours" in blocked) is not lawful


async def test_a_decision_outlives_the_packs_that_the_program_ships(system, monkeypatch):
    case_id = await system.case()
    visit = await system.visit(case_id, await system.team())
    await system.post(f"/visits/{visit}/dispatch")
    [stored] = (await system.get("/decisions", case_id=str(case_id)))["items"]

    async def no_law(_tx):
        return Law(())

    monkeypatch.setattr(LAWBOOK, "law", no_law)
    again = await system.post(f"/decisions/{stored['id']}/replay")
    assert (again["same"], again["replayed_digest"]) == (True, stored["digest"])


@pytest.mark.dialect
async def test_a_dispatch_is_judged_at_the_time_of_the_visit_not_of_the_button(system):
    """On Monday a visit is sent for a holiday five weeks later; and at half past six one for nine o'clock."""
    team = await system.team()
    visit = await system.visit(await system.case(), team, day=HOLIDAY)
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert {rule["rule_id"] for rule in refused["rules"]} == {"house-holiday"}
    await system.at(taipei(MONDAY, 6, 30))
    early = await system.visit(await system.case(), team, hour=9)
    assert (await system.post(f"/visits/{early}/dispatch"))["status"] == "DISPATCHED"
    [decision] = (await system.get("/decisions", verdict="pass"))["items"]
    assert decision["visit_id"] == str(early)
    assert decision["facts"]["at"].startswith("2026-03-02T01:00:00")
    assert (await system.post(f"/decisions/{decision['id']}/replay"))["same"]


async def test_a_late_dispatch_counts_from_now_and_must_end_within_the_hours(system):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team, hour=20)
    await system.at(taipei(MONDAY, 21, 45))
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert {rule["rule_id"] for rule in refused["rules"]} == {"tw-hours"}


async def test_a_completed_visit_is_judged_from_its_check_in_to_its_end(system):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team, hour=21)
    await system.post(f"/visits/{visit}/dispatch")
    await system.at(taipei(MONDAY, 23, 50))
    arrival = {"device_time": "2026-03-02T21:55:00+08:00", "latitude": 25.03, "longitude": 121.56, "accuracy_m": 9}
    for collector_id in team[1]:
        await system.post(f"/visits/{visit}/check-in", arrival | {"collector_id": str(collector_id)})
    record = {"ended_at": "2026-03-02T21:54:00+08:00", "disposition": "REFUSED_TO_PAY", "person_met": "DEBTOR"}
    problem = await system.post(f"/visits/{visit}/complete", record, 422)
    assert problem["title"] == "ended-before-started"
    done = await system.post(f"/visits/{visit}/complete", record | {"ended_at": "2026-03-02T23:45:00+08:00"})
    decision = await system.get(f"/decisions/{done['decision_id']}")
    judged = [datetime.fromisoformat(decision["facts"][name]) for name in ("at", "ends_at")]
    assert judged == [taipei(MONDAY, 21, 55), taipei(MONDAY, 23, 45)]
    [hours] = [each for each in decision["decision"]["findings"] if each["rule_id"] == "tw-hours"]
    assert (hours["verdict"], hours["incident"]) == ("warn", True)
    assert (await system.post(f"/decisions/{done['decision_id']}/replay"))["same"]


@pytest.mark.parametrize(("until", "broken"), [((22, 29), True), ((22, 30), False)])
async def test_a_consent_that_ends_during_the_visit_does_not_cover_it(system, until, broken):
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team, hour=21)
    await system.post(f"/visits/{visit}/dispatch")
    await consent(system, case_id, "HOURS", taipei(MONDAY, *until))
    await system.at(taipei(MONDAY, 22, 40))
    assert (await arrive(system, visit, team, 21, 50)).status_code == 200
    record = {"ended_at": "2026-03-02T22:30:00+08:00", "disposition": "REFUSED_TO_PAY", "person_met": "DEBTOR"}
    done = await system.post(f"/visits/{visit}/complete", record)
    decision = await system.get(f"/decisions/{done['decision_id']}")
    [hours] = [each for each in decision["decision"]["findings"] if each["rule_id"] == "tw-hours"]
    assert (hours["incident"], hours["overridden_by"] is None) == (broken, broken)
    assert (await system.post(f"/decisions/{done['decision_id']}/replay"))["same"]


async def arrive(system, visit, team, hour, minute=0):
    """Both phones report that they arrived at a time; answers of the second."""
    arrival = {"device_time": taipei(MONDAY, hour, minute).isoformat(), "latitude": 25.03, "longitude": 121.56}
    for collector_id in team[1]:
        body = arrival | {"collector_id": str(collector_id), "accuracy_m": 9}
        path = f"/visits/v1/visits/{visit}/check-in"
        answer = await system.client.post(path, json=body, headers=system.bearer(Role.SUPERVISOR))
    return answer


@pytest.mark.parametrize("stop", ["hold", "promise"])
@pytest.mark.parametrize(("minute", "status"), [(0, 200), (30, 409), (50, 409), (58, 200)])
async def test_holds_are_judged_at_the_time_of_the_act_not_of_its_arrival(system, stop, minute, status):
    """From 10:30 to 10:55 contact was stopped; the phones report at eleven when they had arrived."""
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    await system.post(f"/visits/{visit}/dispatch")
    began, ended = {
        "hold": (
            cases.CaseHeld(
                case_id=case_id, hold_id=visit, reason="CEASE_REQUEST", scope="all", review_on=date(2026, 4, 1)
            ),
            cases.CaseReleased(case_id=case_id, hold_id=visit, reason="CEASE_REQUEST"),
        ),
        "promise": (
            followup.PromiseMade(
                case_id=case_id,
                promise_id=visit,
                visit_id=visit,
                total=Amount(amount="1", currency="TWD"),
                instalments=[Instalment(due_on=MONDAY, amount=Amount(amount="1", currency="TWD"))],
            ),
            followup.PromiseCancelled(case_id=case_id, promise_id=visit, reason="RECALLED"),
        ),
    }[stop]
    await system.hear(began, at=taipei(MONDAY, 10, 30))
    await system.hear(ended, at=taipei(MONDAY, 10, 55))
    await system.at(taipei(MONDAY, 11))
    answer = await arrive(system, visit, team, 10, minute)
    assert answer.status_code == status
    if status == 409:
        assert {rule["rule_id"] for rule in answer.json()["rules"]} == {"house-hold"}


@pytest.mark.dialect
async def test_a_first_contact_by_phone_counts_for_visits(system):
    """The validation notice was due five days after the call."""
    new_york = {"jurisdiction": "us", "country": "US", "time_zone": "America/New_York", "prior_notice_at": None}
    case_id = await system.case(**new_york)
    for at in (datetime(2026, 2, 10, 17, tzinfo=UTC), datetime(2026, 2, 20, 17, tzinfo=UTC)):
        await system.hear(cases.DebtorReached(case_id=case_id, first_contact_at=at))
    blocked = {}
    for day in ("2026-02-12", "2026-02-23"):
        body = {"case_ids": [str(case_id)], "at": f"{day}T12:00:00-05:00"}
        [item] = (await system.post("/gate-checks", body))["items"]
        blocked[day] = {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"}
    assert blocked == {"2026-02-12": set(), "2026-02-23": {"us-validation"}}


async def test_what_ended_long_ago_is_forgotten_and_an_old_row_without_times_counts(system):
    case_id = await system.case()
    hold = {"case_id": case_id, "reason": "CEASE_REQUEST"}
    for n, days in ((1, 0), (2, 40)):
        moment = taipei(MONDAY + timedelta(days=days), 10)
        held = cases.CaseHeld(hold_id=UUID(int=n), scope="all", review_on=date(2026, 4, 1), **hold)
        await system.hear(held, cases.CaseReleased(hold_id=UUID(int=n), **hold), at=moment)
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get(CaseloadRow, case_id)
        assert set(row.holds) == {str(UUID(int=2))}
        row.holds = {"old": {"reason": "CEASE_REQUEST", "scope": "all"}}
    [item] = (await system.post("/gate-checks", {"case_ids": [str(case_id)]}))["items"]
    assert item["decision"]["verdict"] == "block"
