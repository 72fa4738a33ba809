"""Phones with wrong clocks, reports that come late, and supervisors who enter what no phone can."""

from datetime import UTC, datetime, timedelta

import pytest

from services.visits.visit.tables import VisitRow
from shared.auth import Role
from tests.visits.conftest import MONDAY, System, taipei
from tests.visits.visit.field import MET, arrive, check_in, events, send, sent, started

TUESDAY = MONDAY + timedelta(days=1)
IN_1970 = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


@pytest.mark.dialect
async def test_two_phones_that_say_eight_at_eleven_in_the_evening_do_not_make_a_visit_lawful(system: System) -> None:
    _, visit, team = await sent(system)
    await system.at(taipei(MONDAY, 23))
    said = taipei(MONDAY, 20)
    answer = await arrive(system, visit, team, said, device_now=said.isoformat())
    assert answer.status_code == 409
    assert {rule["rule_id"] for rule in answer.json()["rules"]} == {"tw-hours"}
    assert {"body.device_time", "house-clock"} <= {each["where"] for each in answer.json()["warnings"]}
    async with system.runtime.database.reading() as tx:
        row = await tx.session.get_one(VisitRow, visit)
    for arrival in row.check_ins.values():
        assert datetime.fromisoformat(arrival["device_time"]) == said
        assert datetime.fromisoformat(arrival["at"]) == taipei(MONDAY, 23)
        assert arrival["clock_offset_seconds"] == -3 * 3600


async def test_a_lawful_visit_that_is_reported_at_night_stays_lawful(system: System) -> None:
    """The phones had no network: their clocks are right when they send."""
    _, visit, team = await sent(system)
    await system.at(taipei(MONDAY, 23, 30))
    now = taipei(MONDAY, 23, 30).isoformat()
    answer = await arrive(system, visit, team, taipei(MONDAY, 20), device_now=now)
    assert (answer.json()["status"], answer.json()["flags"]) == ("CHECKED_IN", ["LATE_REPORT"])
    record = MET | {"ended_at": taipei(MONDAY, 20, 20).isoformat(), "device_now": now}
    done = (await send(system, visit, "complete", record, by=team[1][0])).json()
    assert done["ended_at"].startswith("2026-03-02T12:20:00")
    decision = await system.get(f"/decisions/{done['decision_id']}")
    assert "tw-hours" not in {each["rule_id"] for each in decision["decision"]["findings"] if each["incident"]}


@pytest.mark.dialect
@pytest.mark.parametrize("clock", [IN_1970, taipei(TUESDAY, 10), taipei(MONDAY, 10, 20)])
async def test_a_wrong_clock_that_shows_its_error_reports_a_whole_visit(system: System, clock: datetime) -> None:
    _, visit, team = await sent(system)
    answer = await arrive(system, visit, team, clock, device_now=clock.isoformat())
    assert (answer.json()["status"], answer.json()["flags"]) == ("CHECKED_IN", ["CLOCK_CORRECTED"])
    await system.at(taipei(MONDAY, 10, 20))
    left = clock + timedelta(minutes=20)
    record = MET | {name: left.isoformat() for name in ("ended_at", "asked_to_leave_at", "left_at")}
    done = (await send(system, visit, "complete", record, by=team[1][0])).json()  # by the error of the check-in
    assert datetime.fromisoformat(done["ended_at"]) == taipei(MONDAY, 10, 20)
    assert done["flags"] == ["CLOCK_CORRECTED", "CLOCK_OF_CHECK_IN"]
    facts = (await system.get(f"/decisions/{done['decision_id']}"))["facts"]
    assert [datetime.fromisoformat(each) for each in (*facts["asked_to_leave"], facts["left_at"])] == [
        taipei(MONDAY, 10, 20)
    ] * 2
    [begun], [completed] = await events(system, "visit-started"), await events(system, "visit-completed")
    assert [datetime.fromisoformat(each["device_time"]) for each in begun["check_ins"]] == [clock] * 2
    assert {datetime.fromisoformat(each["at"]) for each in begun["check_ins"]} == {taipei(MONDAY, 10)}
    assert datetime.fromisoformat(completed["reported"]["said"]["ended_at"]) == left
    assert completed["reported"]["clock_error_seconds"] == begun["check_ins"][0]["clock_error_seconds"]


async def test_a_collector_without_the_phones_present_time_gets_the_remedy(system: System) -> None:
    _, visit, team = await sent(system)
    for said, code in ((datetime(1970, 1, 1, tzinfo=UTC), "time-too-old"), (taipei(TUESDAY, 10), "time-in-future")):
        answer = await send(system, visit, "check-in", check_in(team[1][0], said), by=team[1][0])
        assert (answer.status_code, answer.json()["title"]) == (422, code)
        assert "device_now" in answer.json()["detail"]
    early = await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10, 10)), by=team[1][0])
    assert (early.status_code, early.json()["flags"]) == (200, ["LATER_THAN_RECEIPT"])


async def test_a_supervisor_enters_a_visit_of_weeks_ago_and_is_named_with_it(system: System) -> None:
    _, visit, team = await sent(system)
    await system.at(taipei(MONDAY + timedelta(days=20), 9))
    entered = {"entry_reason": "PHONE_LOST"}
    assert (await arrive(system, visit, team, taipei(MONDAY, 10, 5), **entered)).json()[
        "title"
    ] == "entry-by-supervisor"
    for collector in team[1]:
        answer = await send(system, visit, "check-in", check_in(collector, taipei(MONDAY, 10, 5), **entered))
    assert answer.json()["status"] == "CHECKED_IN", answer.text
    future = MET | entered | {"ended_at": taipei(MONDAY + timedelta(days=21), 9).isoformat()}
    assert (await send(system, visit, "complete", future)).json()["title"] == "time-in-future"
    done = await send(system, visit, "complete", future | {"ended_at": taipei(MONDAY, 10, 15).isoformat()})
    assert (done.json()["status"], done.json()["flags"]) == ("COMPLETED", ["ENTERED_BY_SUPERVISOR"])
    [begun], [completed] = await events(system, "visit-started"), await events(system, "visit-completed")
    assert {each["entered_by"] for each in (*begun["check_ins"], completed["reported"])} == {"supervisor:a-person"}
    assert completed["reported"]["entry_reason"] == "PHONE_LOST"


@pytest.mark.parametrize(
    ("change", "words"),
    [({"mock_location": True}, "made up"), ({"latitude": 25.4}, "tolerance"), ({"latitude": None}, "Not known")],
)
async def test_position_is_answered_as_a_warning_to_each_phone(system: System, change: dict, words: str) -> None:
    case_id, visit, team = await sent(system)
    sound = {"device_now": taipei(MONDAY, 10).isoformat()}
    for collector, more in zip(team[1], (change, {}), strict=True):
        answer = await send(system, visit, "check-in", check_in(collector, taipei(MONDAY, 10), **sound, **more))
        [warning] = answer.json()["warnings"]
        assert (answer.status_code, warning["where"]) == (200, "house-clock")
        assert words in warning["what"]
    [decision] = [
        each
        for each in (await system.get("/decisions", case_id=str(case_id)))["items"]
        if each["step"] == "CHECK_IN" and each["verdict"] == "warn"
    ]
    assert (await system.post(f"/decisions/{decision['id']}/replay"))["same"]


async def test_a_second_check_in_before_the_start_keeps_the_first(system: System) -> None:
    _, visit, team = await sent(system)
    await system.at(taipei(MONDAY, 10, 10))
    for minute in (0, 0, 5):
        answer = await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10, minute)), by=team[1][0])
    assert answer.json()["flags"] == ["CHECKED_IN_AGAIN"]
    async with system.runtime.database.reading() as tx:
        [arrival] = (await tx.session.get_one(VisitRow, visit)).check_ins.values()
    assert [datetime.fromisoformat(each["device_time"]) for each in arrival["others"]] == [taipei(MONDAY, 10)]


async def test_no_phone_takes_back_an_arrival_at_a_forbidden_hour(system: System) -> None:
    _, visit, team = await sent(system)
    await system.at(taipei(MONDAY, 23))
    now = {"device_now": taipei(MONDAY, 23).isoformat()}
    assert (await arrive(system, visit, team, taipei(MONDAY, 23), **now)).status_code == 409
    again = await arrive(system, visit, team, taipei(MONDAY, 20), **now)
    assert (again.status_code, again.json()["title"]) == (409, "rule-blocked")
    for collector in team[1]:  # two phones had wrong clocks: a supervisor says so, by name
        body = check_in(collector, taipei(MONDAY, 20), entry_reason="CLOCK_WRONG")
        answer = await send(system, visit, "check-in", body)
    assert answer.json()["status"] == "CHECKED_IN"
    assert answer.json()["flags"] == ["CHECKED_IN_AGAIN", "ENTERED_BY_SUPERVISOR"]
    assert (await arrive(system, visit, team, taipei(MONDAY, 23))).status_code == 200  # what is known of it already
    async with system.runtime.database.reading() as tx:
        arrivals = (await tx.session.get_one(VisitRow, visit)).check_ins.values()
    assert [len(each["others"]) for each in arrivals] == [2, 2]


@pytest.mark.dialect
async def test_a_check_in_that_is_sent_again_by_a_wrong_clock_is_the_same(system: System) -> None:
    _, visit, team = await sent(system)
    for second in (0, 2):
        await system.at(taipei(MONDAY, 10) + timedelta(seconds=second))
        body = check_in(team[1][0], IN_1970, device_now=(IN_1970 + timedelta(seconds=1.5 * second)).isoformat())
        answer = await send(system, visit, "check-in", body, by=team[1][0])
        assert answer.json()["flags"] == ["CLOCK_CORRECTED"]


@pytest.mark.dialect
async def test_the_same_key_is_for_the_same_report_with_the_phones_present_time(system: System) -> None:
    _, visit, team = await sent(system)
    key = system.bearer(Role.COLLECTOR, subject=str(team[1][0])) | {"Idempotency-Key": "K1"}
    answers = []
    for minute, more in ((0, {}), (1, {}), (2, {"accuracy_m": 9})):
        await system.at(taipei(MONDAY, 10, minute))
        now = {"device_now": taipei(MONDAY, 10, minute).isoformat()}
        body = check_in(team[1][0], taipei(MONDAY, 10), **now) | more
        answers.append(await system.client.post(f"/visits/v1/visits/{visit}/check-in", json=body, headers=key))
    assert [each.status_code for each in answers] == [200, 200, 422]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[2].json()["title"] == "idempotency-key-reused"


async def test_a_check_in_sent_again_after_the_start_answers_the_visit_and_another_is_a_conflict(
    system: System,
) -> None:
    _, visit, team = await started(system)
    await system.at(taipei(TUESDAY, 10))
    again = await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10)), by=team[1][0])
    assert (again.status_code, again.json()["status"]) == (200, "CHECKED_IN")
    other = await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 11)), by=team[1][0])
    assert (other.status_code, other.json()["title"], other.json()["differs"]) == (
        409, "already-checked-in", ["device_time"],
    )  # fmt: skip
    assert (await system.types()).count("visit-started") == 1
