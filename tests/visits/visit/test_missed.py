"""Visits whose day is over: missed, overdue, or reported late."""

import asyncio
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command

from services.visits.caseload.tables import CaseloadRow
from services.visits.fieldday import missed as job
from services.visits.plans.domain import PlanStatus
from services.visits.plans.tables import DayPlanRow
from services.visits.settings import VisitsSettings
from services.visits.visit import missed
from services.visits.visit.tables import VisitRow
from services.visits.worker import SERVICE
from shared import migrations
from shared.database import Transaction
from shared.runtime import Runtime
from tests.visits.conftest import MONDAY, System, taipei
from tests.visits.visit.field import MET, arrive, check_in, end_day, events, send, sent, started

TUESDAY = MONDAY + timedelta(days=1)


@pytest.mark.dialect
async def test_a_visit_is_missed_at_the_end_of_its_local_day_and_its_case_free_again(system: System) -> None:
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    new_york = {"jurisdiction": "us", "country": "US", "time_zone": "America/New_York", "prior_notice_at": None}
    elsewhere = await system.visit(await system.case(**new_york), team, hour=23)  # ten in the morning there
    assert await end_day(system, taipei(MONDAY, 23, 59)) == [0]
    assert await end_day(system, taipei(TUESDAY, 0)) == [1, 0]
    found = await system.get(f"/visits/{visit}")
    assert (found["status"], found["missed_reason"], found["disposition"]) == ("MISSED", "NOT_DISPATCHED", None)
    [event] = await events(system, "visit-missed")
    assert (event["case_id"], event["day"], event["known_status"]) == (str(case_id), "2026-03-02", "PLANNED")
    assert event["collector_ids"] == [str(each) for each in team[1]]
    assert [each["id"] for each in (await system.get("/visits", status="MISSED"))["items"]] == [str(visit)]
    assert (await system.get(f"/visits/{elsewhere}"))["status"] == "PLANNED"
    await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert (await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10)))).status_code == 409
    asked = await system.post("/day-plans", {"day": str(TUESDAY)}, expect=202)
    async with system.runtime.database.reading() as tx:
        from services.visits.plans import queries

        rows = await queries.wanted_cases(tx, TUESDAY, only=(), again=(), without=())
    assert case_id in {row.id for row in rows}
    assert asked["status"] == "DRAFT"


async def plan_of(system: System, visit: UUID, **happened: object) -> None:
    """The visit stands on a plan of which something is known."""
    async with system.runtime.database.transaction() as tx:
        row = await tx.session.get_one(VisitRow, visit)
        tx.session.add(
            DayPlanRow(
                id=row.plan_id, day=MONDAY, status=PlanStatus.PUBLISHED, request={}, asked_by="supervisor:s",
                asked_at=tx.now, left_out={}, happened=happened, version=0,
            )
        )  # fmt: skip


@pytest.mark.dialect
async def test_the_reason_is_what_visit_gate_and_plan_know(system: System) -> None:
    expected = {}
    for name in ("ill", "late", "blocked", "sent", "alone", "departed"):
        team = await system.team()
        visit = await system.visit(await system.case(hazard=name == "blocked"), team)
        if name == "ill":
            await plan_of(system, visit, ill_team_ids=[str(team[0])])
        if name == "late":
            await plan_of(system, visit, late=[{"team_id": str(team[0]), "minutes": 60}])
        if name not in ("ill", "late"):
            await system.post(f"/visits/{visit}/dispatch", expect=409 if name == "blocked" else 200)
        if name == "alone":
            await send(system, visit, "check-in", check_in(team[1][0], taipei(MONDAY, 10)), by=team[1][0])
        if name == "departed":
            await send(system, visit, "depart", by=team[1][0])
        expected[str(visit)] = {
            "ill": "COLLECTOR_UNAVAILABLE", "late": "ROUTE_OVERRUN", "blocked": "RULE_BLOCKED",
            "alone": "CHECK_IN_INCOMPLETE",
        }.get(name, "NO_CHECK_IN")  # fmt: skip
    assert await end_day(system, taipei(TUESDAY, 1)) == [6, 0]
    found = (await system.get("/visits"))["items"]
    assert {each["id"]: each["missed_reason"] for each in found} == expected
    known = {"COLLECTOR_UNAVAILABLE", "ROUTE_OVERRUN", "RULE_BLOCKED"}
    assert {each["disposition"] for each in found} == {*known, None}


@pytest.mark.dialect
async def test_pages_workers_and_a_kill_in_the_middle_miss_each_visit_once(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "PAGE", 3)
    team = await system.team()
    visits = [await system.visit(await system.case(), team, hour=9 + n) for n in range(7)]
    await system.at(taipei(TUESDAY, 1))
    end = job._end_day

    async def killed(tx: Transaction, rows: list[VisitRow]) -> None:
        await end(tx, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "_end_day", killed)
    with pytest.raises(KeyboardInterrupt):
        await job.miss_due_visits(system.runtime)
    assert await events(system, "visit-missed") == []
    monkeypatch.setattr(job, "_end_day", end)
    while any(await asyncio.gather(*(job.miss_due_visits(system.runtime) for _ in range(2)))):
        pass
    assert sorted(each["visit_id"] for each in await events(system, "visit-missed")) == sorted(map(str, visits))


async def test_an_open_visit_of_the_release_before_is_missed_on_the_first_run(tmp_path: Path) -> None:
    settings = VisitsSettings(data_dir=tmp_path, clock=taipei(TUESDAY, 0))
    config = migrations.config_of(SERVICE.migrations, settings.database_url_of("visits"))
    await asyncio.to_thread(command.upgrade, config, "0010")
    ids = {"id": UUID(int=1).hex, "case_id": UUID(int=2).hex, "plan_id": UUID(int=3).hex, "team_id": UUID(int=4).hex}
    old = ids | {
        "lender_id": "lender-1", "collector_ids": "[]", "day": "2026-03-02", "place_in_route": 0, "status": "PLANNED",
        "purpose": "DEMAND", "time_zone": "Asia/Taipei", "window_start": "2026-03-02 02:00:00",
        "window_end": "2026-03-02 02:20:00", "check_ins": "{}", "record": "{}", "record_incomplete": 0, "version": 1,
    }  # fmt: skip
    with sqlite3.connect(tmp_path / "visits.sqlite3") as database:
        database.execute(f"INSERT INTO visit ({', '.join(old)}) VALUES ({', '.join('?' * len(old))})", [*old.values()])
    database.close()
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, settings.database_url_of("visits"))
    runtime = Runtime(SERVICE, settings)
    await runtime.clock.begin(runtime.database)
    assert [await job.miss_due_visits(runtime) for _ in range(2)] == [1, 0]
    async with runtime.database.reading() as tx:
        row = await tx.session.get_one(VisitRow, UUID(int=1))
    assert (row.status, row.missed_reason, row.day_ends_at) == ("MISSED", "NOT_DISPATCHED", taipei(TUESDAY, 0))
    await runtime.database.close()


@pytest.mark.dialect
async def test_a_visit_that_an_older_process_wrote_after_the_migration_is_missed_too(system: System) -> None:
    visit = await system.visit(await system.case(), await system.team())
    _, begun, _ = await started(system)
    async with system.runtime.database.transaction() as tx:
        for each in (visit, begun):
            (await tx.session.get_one(VisitRow, each)).day_ends_at = None
    assert await end_day(system, taipei(TUESDAY, 23)) == [0]
    assert await end_day(system, taipei(TUESDAY + timedelta(days=1), 8)) == [2, 0]
    assert (await system.types()).count("incident-reported") == 1


async def test_late_evidence_of_its_day_starts_a_missed_visit(system: System) -> None:
    """The phones had no network until the next morning, when the case is planned again."""
    case_id, visit, team = await sent(system)
    await end_day(system, taipei(TUESDAY, 9))
    again = await system.visit(case_id, team, day=TUESDAY, hour=15)
    today = await arrive(system, visit, team, taipei(TUESDAY, 9))
    assert (today.status_code, today.json()["title"]) == (409, "visit-missed")
    answer = await arrive(system, visit, team, taipei(MONDAY, 15), device_now=taipei(TUESDAY, 9).isoformat())
    assert (answer.json()["status"], answer.json()["missed_reason"]) == ("CHECKED_IN", None)
    assert "visit" in {each["where"] for each in answer.json()["warnings"]}
    assert (await system.get(f"/visits/{again}"))["status"] == "PLANNED"
    assert await end_day(system, taipei(TUESDAY, 10)) == [0]
    record = MET | {"ended_at": taipei(MONDAY, 15, 20).isoformat()}
    assert (await send(system, visit, "complete", record, by=team[1][0])).json()["status"] == "COMPLETED"
    kinds = await system.types()
    assert kinds.index("visit-missed") < kinds.index("visit-started") < kinds.index("visit-completed")
    refused = await system.post(f"/visits/{again}/dispatch", expect=409)  # met on Monday, so not on Tuesday
    assert {rule["rule_id"] for rule in refused["rules"]} == {"house-visit-cap"}


@pytest.mark.dialect
async def test_a_visit_that_was_sent_since_does_not_stop_late_evidence(system: System) -> None:
    case_id, visit, team = await sent(system)
    await end_day(system, taipei(TUESDAY, 9))
    again = await system.visit(case_id, team, day=TUESDAY, hour=15)
    await system.post(f"/visits/{again}/dispatch")
    assert (await arrive(system, visit, team, taipei(MONDAY, 15))).json()["status"] == "CHECKED_IN"
    checked = [
        decision
        for decision in (await system.get("/decisions", case_id=str(case_id)))["items"]
        if (decision["step"], decision["visit_id"]) == ("CHECK_IN", str(visit))
    ]
    assert [decision["facts"].get("contact_visits") for decision in checked] == [None]


@pytest.mark.dialect
@pytest.mark.parametrize("at", [taipei(MONDAY, 15), None])
async def test_an_unsafe_visit_counts_although_it_is_missed_already(system: System, at: datetime | None) -> None:
    case_id, visit, team = await sent(system)
    await end_day(system, taipei(TUESDAY, 9))
    body = {"reason": "SAFETY_ABORT", "at": at.isoformat() if at else None}
    aborted = (await send(system, visit, "abort", body, by=team[1][0])).json()
    assert aborted["status"] == "ABORTED"
    assert datetime.fromisoformat(aborted["ended_at"]) == (at or taipei(TUESDAY, 0) - timedelta(seconds=1))
    async with system.runtime.database.reading() as tx:
        assert (await tx.session.get_one(CaseloadRow, case_id)).not_before == TUESDAY
    refused = await system.post(f"/visits/{await system.visit(case_id, team, day=TUESDAY)}/dispatch", expect=409)
    assert {rule["rule_id"] for rule in refused["rules"]} == {"house-hazard"}


@pytest.mark.dialect
async def test_a_visit_that_began_without_a_record_is_overdue_until_somebody_writes_it(system: System) -> None:
    _, visit, team = await started(system)
    assert await end_day(system, taipei(TUESDAY, 0)) == [1, 0]
    [listed] = (await system.get("/overdue-records"))["items"]
    assert (listed["id"], listed["status"]) == (str(visit), "CHECKED_IN")
    [incident] = await events(system, "incident-reported")
    assert incident["kind"] == "RECORD_OVERDUE"
    await system.at(taipei(TUESDAY, 9))
    record = MET | {"ended_at": taipei(MONDAY, 10, 20).isoformat(), "authority_shown": True}
    assert (await send(system, visit, "complete", record, by=team[1][0])).json()["overdue_since"] is None
    assert (await system.get("/overdue-records"))["items"] == []


@pytest.mark.dialect
async def test_depart_says_that_the_team_has_set_out(system: System) -> None:
    case_id, team = await system.case(), await system.team()
    visit = await system.visit(case_id, team)
    assert (await send(system, visit, "depart", by=team[1][0])).status_code == 409
    await system.post(f"/visits/{visit}/dispatch")
    for by in (team[1][0], team[1][1], None):
        assert (await send(system, visit, "depart", by=by)).json()["status"] == "EN_ROUTE"
    assert (await send(system, visit, "depart", by=UUID(int=1))).status_code == 404
    assert (await arrive(system, visit, team, taipei(MONDAY, 10))).json()["status"] == "CHECKED_IN"
    assert (await send(system, visit, "depart", by=team[1][0])).json()["status"] == "CHECKED_IN"
    assert (await system.types()).count("visit-departed") == 1
