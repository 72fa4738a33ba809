"""A visit from plan to record, and what the law stops on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from services.cli.demo import acts
from shared.auth import Role
from shared.ids import new_id
from tests.actors.people import check_in
from tests.actors.samples import MONDAY, RECORD, at, row
from tests.house import arrive, running_house


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house of its own: plans take in every wanted case. It is ten on Monday, in Taipei."""
    with running_house(tmp_path_factory.mktemp("visits"), at(MONDAY, 10)) as running:
        yield running


@pytest.fixture
def door(house):
    """Gives planned visits of a new lender, one a case, with the team that goes."""

    def planned(count=1, *, verified=True, team_facts=None, day=MONDAY, **profile):
        lender = house.lender(**profile)
        lender.place(*(row(f"A-{n}", lat=f"25.0{n}") for n in range(count)))
        cases = list(lender.cases().values())
        if verified:
            house.verify_addresses(cases)
        house.quiet()
        team = house.team(**(team_facts or {}))
        plan = house.plan(day, team)
        mine = {case["id"] for case in cases}
        return team, [visit for visit in house.visits_of(plan) if visit["case_id"] in mine], cases, plan

    return planned


def test_a_visit_goes_from_plan_to_promise(house, door):
    team, [visit], [case], plan = door()
    assert (visit["status"], plan["visits"]) == ("PLANNED", 1)
    path = f"/visits/v1/visits/{visit['id']}"
    assert house.supervisor.post(f"{path}/dispatch")["status"] == "DISPATCHED"
    first, second = team.collectors
    assert first.post(f"{path}/check-in", check_in(team))["status"] == "DISPATCHED"
    assert first.post(f"{path}/complete", RECORD, expect=409)["title"]
    assert second.post(f"{path}/check-in", check_in(team, 1))["status"] == "CHECKED_IN"
    done = first.post(f"{path}/complete", RECORD, key="once")
    assert (done["status"], done["missing"], done["record_incomplete"]) == ("COMPLETED", [], False)
    assert first.post(f"{path}/complete", RECORD, key="once") == done
    assert second.post(f"{path}/complete", RECORD, key="later") == done
    differs = first.post(f"{path}/complete", RECORD | {"willingness": 1}, expect=409)["differs"]
    assert differs == ["willingness"]
    house.quiet()
    [promise] = house.supervisor.get("/followup/v1/promises", case_id=case["id"])["items"]
    assert (promise["id"], promise["promised"]["amount"]) == (done["promise_id"], "50000")
    entries = house.officer.every("/audit/v1/entries", case_id=case["id"])
    types = [entry["leaf"]["type"].split(".")[2] for entry in entries]
    assert types.count("visit-completed") == types.count("promise-made") == types.count("visit-started") == 1
    text = str(entries)
    assert "王小明" not in text
    assert "下週" not in text


def test_a_hold_stops_the_dispatch_and_the_decision_is_kept(house, door):
    _, [visit], [case], _ = door()
    held = house.officer.does(acts.place_hold(case["id"], "COMPLAINT_PENDING", "2026-04-01"))
    house.quiet()
    path = f"/visits/v1/visits/{visit['id']}/dispatch"
    problem = house.supervisor.post(path, expect=409)
    [rule] = problem["rules"]
    assert (problem["title"], rule["rule_id"]) == ("rule-blocked", "house-hold")
    assert rule["source"]
    assert rule["inputs"]
    assert rule["reason"]["zh"] != rule["reason"]["en"]
    decision = house.supervisor.get(f"/visits/v1/decisions/{problem['decision_id']}")
    assert (decision["verdict"], decision["visit_id"]) == ("block", visit["id"])
    asked = house.officer.post(f"/cases/v1/holds/{held['id']}/release", {"reason": "It was a mistake."}, expect=409)
    house.supervisor.post(f"/cases/v1/approvals/{asked['approval_id']}/approve", {"reason": "So it was."})
    house.quiet()
    assert house.supervisor.post(path)["status"] == "DISPATCHED"
    entries = house.officer.every("/audit/v1/entries", case_id=case["id"])
    types = [entry["leaf"]["type"].split(".")[2] for entry in entries]
    assert types.count("approval-asked") == types.count("approval-granted") == types.count("case-released") == 1
    assert "mistake" not in str(entries)


def test_what_may_not_be_visited_is_left_out_with_its_rule(house, door):
    _, visits, [case], plan = door(verified=False)
    assert visits == []
    assert {"reason": "house-address", "count": 1} in plan["left_out"]
    _, visits, _, plan = door(notice=None)
    assert visits == []
    assert "tw-prior-notice" in {item["reason"] for item in plan["left_out"]}
    check = house.supervisor.post("/visits/v1/gate-checks", {"case_ids": [case["id"]]})
    [item] = check["items"]
    assert item["decision"]["verdict"] == "block"


def test_a_collector_whose_certificate_does_not_hold_that_day_is_not_sent(house, door):
    """Not planned for the day on which it has ended; but sent today for tomorrow, when it begins."""
    ended = [{"code": "FIELD-COLLECTION", "valid_from": "2025-01-01", "valid_until": "2026-03-01"}]
    _, visits, _, plan = door(team_facts={"certificates": ended})
    assert visits == []
    assert "no-team-with-the-skill" in {item["reason"] for item in plan["left_out"]}
    tomorrow = MONDAY + timedelta(days=1)
    from_tomorrow = [{"code": "FIELD-COLLECTION", "valid_from": str(tomorrow), "valid_until": "2027-03-01"}]
    _, [visit], _, _ = door(team_facts={"certificates": from_tomorrow}, day=tomorrow)
    assert house.supervisor.post(f"/visits/v1/visits/{visit['id']}/dispatch")["status"] == "DISPATCHED"


def test_many_dispatches_at_the_same_moment_send_once(house, door):
    """Many people press the button at once: one visit, one dispatch."""
    _, [visit], _, _ = door()
    path = f"/visits/v1/visits/{visit['id']}/dispatch"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: house.client.post(path, headers=house.supervisor.headers), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


def test_a_case_that_is_under_way_is_not_planned_a_second_time(house, door):
    team, [visit], [case], _ = door()
    arrive(house, team, visit)
    plan = house.plan(MONDAY + timedelta(days=1), house.team())
    assert case["id"] not in {each["case_id"] for each in house.visits_of(plan)}


def test_what_the_law_wants_to_know_and_nobody_told_blocks(house, door):
    """In mainland China the agency is evaluated each year; this lender has not said when."""
    _, visits, [case], plan = door(jurisdiction="cn", country="CN", time_zone="Asia/Shanghai", agency=None)
    assert visits == []
    left_out = {each["case_id"]: each for each in house.supervisor.every(f"/visits/v1/day-plans/{plan['id']}/left-out")}
    assert left_out[case["id"]]["rule_id"] == "cn-agency-review"
    decision = house.supervisor.get(f"/visits/v1/decisions/{left_out[case['id']]['decision_id']}")
    assert decision["verdict"] == "block"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"collector_id": str(new_id())}, 404),
        ({"latitude": 99}, 422),
        ({"device_time": "2026-03-02T10:00:00"}, 422),
        ({"device_time": at(MONDAY + timedelta(days=2), 10)}, 422),
    ],
)
def test_a_check_in_that_cannot_be_true_is_refused(house, door, change, status):
    team, [visit], _, _ = door()
    path = f"/visits/v1/visits/{visit['id']}"
    house.supervisor.post(f"{path}/dispatch")
    house.supervisor.post(f"{path}/check-in", check_in(team, **change), expect=status)
    assert house.supervisor.get(path)["checked_in"] == []


def test_a_check_in_far_from_the_address_is_noted_as_a_warning(house, door):
    team, [visit], [case], _ = door()
    path = f"/visits/v1/visits/{visit['id']}"
    house.supervisor.post(f"{path}/dispatch")
    for number, collector in enumerate(team.collectors):
        collector.post(f"{path}/check-in", check_in(team, number, latitude=25.4))
    decisions = house.supervisor.every("/visits/v1/decisions", case_id=case["id"])
    [judged] = [each for each in decisions if each["step"] == "CHECK_IN"]
    verdicts = {finding["rule_id"]: finding["verdict"] for finding in judged["decision"]["findings"]}
    assert (judged["verdict"], verdicts["house-clock"]) == ("warn", "warn")


def test_a_collector_does_what_is_the_own_only(house, door):
    team, [visit], _, _ = door()
    path = f"/visits/v1/visits/{visit['id']}"
    stranger = house.caller(Role.COLLECTOR, subject=str(new_id()))
    stranger.get(path, expect=404)
    assert stranger.get("/visits/v1/visits")["items"] == []
    house.supervisor.post(f"{path}/dispatch")
    team.collectors[0].post(f"{path}/check-in", check_in(team, 1), expect=403)
    team.collectors[0].post(f"{path}/dispatch", expect=403)


@pytest.mark.parametrize(
    "change",
    [
        {"disposition": "NO_ANSWER"},
        {"person_met": "NONE"},
        {"promise": {"instalments": []}},
        {"promise": {"instalments": [{"due_on": "2020-01-01", "amount": {"amount": "1", "currency": "TWD"}}]}},
        {"promise": {"instalments": [{"due_on": "2026-03-09", "amount": {"amount": "0", "currency": "TWD"}}]}},
        {"promise": {"instalments": [{"due_on": "2026-03-09", "amount": {"amount": "-5", "currency": "TWD"}}]}},
        {"promise": {"instalments": [{"due_on": "2026-03-09", "amount": {"amount": "5", "currency": "USD"}}]}},
        {"promise": {"instalments": [{"due_on": "2026-03-09", "amount": {"amount": "9e12", "currency": "TWD"}}]}},
        {"willingness": 6},
    ],
)
def test_a_record_that_cannot_be_true_is_refused_and_the_visit_stays_open(house, door, change):
    team, [visit], _, _ = door()
    path = arrive(house, team, visit)
    problem = team.collectors[0].post(f"{path}/complete", RECORD | change, expect=422)
    assert problem["detail"] or problem["errors"]
    assert house.supervisor.get(path)["status"] == "CHECKED_IN"
    team.collectors[0].post(f"{path}/complete", RECORD)


def test_a_missing_proof_is_named_and_the_record_kept(house, door):
    team, [visit], _, _ = door()
    path = arrive(house, team, visit)
    done = team.collectors[0].post(f"{path}/complete", RECORD | {"evidence": [], "authority_shown": None})
    assert done["status"] == "COMPLETED"
    assert done["record_incomplete"]
    assert done["missing"]


def test_cash_at_the_door_counts_once_also_when_the_lender_reports_it(house, door):
    team, [visit], [case], _ = door()
    path = arrive(house, team, visit)
    receipt = f"R-{new_id().hex[-8:].upper()}"
    cash = {"receipt_number": receipt, "amount": {"amount": "1000", "currency": "TWD"}}
    record = {name: value for name, value in RECORD.items() if name != "promise"}
    team.collectors[0].post(f"{path}/complete", record | {"disposition": "PAID_PARTIAL", "cash": cash})
    house.quiet()
    balance = house.supervisor.get(f"/cases/v1/cases/{case['id']}")["balance"]
    assert balance["amount"] == "249000"
    lender = house.caller(Role.LENDER, lender=case["lender_id"])
    line = {
        "reference": "LINE-1",
        "account_ref": "A-0",
        "amount": {"amount": "1000", "currency": "TWD"},
        "received_on": str(MONDAY),
        "receipt_number": receipt,
    }
    [result] = lender.post("/cases/v1/payments", {"payments": [line]})["items"]
    assert result["result"] == "CONFIRMED"
    assert house.supervisor.get(f"/cases/v1/cases/{case['id']}")["balance"] == balance


def test_a_stale_reader_does_not_dispatch(house, door):
    _, [visit], _, _ = door()
    path = f"/visits/v1/visits/{visit['id']}"
    seen = house.supervisor.ask("GET", path).headers["etag"]
    answer = house.supervisor.ask("POST", f"{path}/dispatch", 412, headers={"If-Match": '"99"'})
    assert answer.json()["status"] == 412
    house.supervisor.ask("POST", f"{path}/dispatch", 200, headers={"If-Match": seen})
