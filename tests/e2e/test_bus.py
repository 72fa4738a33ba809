"""The bus as an admin sees it: what fails is parked and shown, cured and replayed; a projection is made anew."""

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest

from services.cli.demo.systems import doorstep
from shared.auth import Role
from shared.ids import new_id
from tests.actors.samples import MONDAY, RECORD, at, row
from tests.house import arrive, running_house

SAID = {"capture_output": True, "text": True, "check": True, "timeout": 60}
POISON = "CREATE TRIGGER poison BEFORE INSERT ON promise BEGIN SELECT RAISE(ABORT, 'poisoned'); END"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running_house(tmp_path_factory.mktemp("bus"), at(MONDAY, 10)) as running:
        yield running


def bus(house, *arguments, status=0):
    command = doorstep("bus", *arguments, "--data", str(house.data), "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def execute(house, statement):
    with closing(sqlite3.connect(house.data / "followup.sqlite3", timeout=10)) as database:
        database.execute(statement)
        database.commit()


@pytest.fixture
def visited(house):
    """A case whose visit ended with a promise."""
    lender = house.lender()
    lender.place(row("A-1"))
    [case] = lender.cases().values()
    house.verify_addresses([case])
    house.quiet()
    team = house.team()
    [visit] = [each for each in house.visits_of(house.plan(MONDAY, team)) if each["case_id"] == case["id"]]

    def complete():
        path = arrive(house, team, visit)
        return team.collectors[0].post(f"{path}/complete", RECORD)

    return case, complete


@pytest.mark.slow
def test_a_poisoned_event_is_parked_shown_and_cured(house, visited):
    case, complete = visited
    execute(house, POISON)
    complete()
    house.quiet()
    [parked] = bus(house, "parked")
    assert (parked["service"], parked["key"], parked["error"]) == ("followup", case["id"], "IntegrityError")
    words = subprocess.run(doorstep("bus", "parked", "followup", "--data", str(house.data)), **SAID).stdout
    assert f"doorstep.visits.visit-completed.v1 of {case['id']}" in words
    assert "failed 5 times: IntegrityError" in words
    assert f"doorstep bus replay followup --event {parked['event_id']}\n" in words
    [shown] = house.admin.get("/followup/v1/bus/parked")["items"]
    assert shown["event_id"] == parked["event_id"]
    [followup] = [each for each in bus(house, "status", status=1) if not each["well"]]
    assert (followup["service"], followup["consumer"]["parked_events"]) == ("followup", 1)
    again = bus(house, "replay", "followup", "--key", case["id"], status=1)
    assert (again["cured"], again["still_parked"]) == (0, 1)
    execute(house, "DROP TRIGGER poison")
    cured = house.admin.post("/followup/v1/bus/replay", {"key": case["id"]})
    assert (cured["cured"], cured["still_parked"]) == (1, 0)
    house.quiet()
    [promise] = house.supervisor.get("/followup/v1/promises", case_id=case["id"])["items"]
    assert promise["promised"]["amount"] == "50000"
    assert bus(house, "parked") == []
    kept = house.officer.every(
        "/audit/v1/entries", log="operator", type="doorstep.operations.parked-events-replayed.v1"
    )
    actors = [entry["leaf"]["actor"] for entry in kept]
    assert [actor["kind"] for actor in actors] == ["operator", "admin"]


@pytest.mark.slow
def test_a_projection_is_made_anew_and_is_the_same(house, visited):
    case, complete = visited
    complete()
    house.quiet()
    path = f"/cases/v1/cases/{case['id']}"
    before = house.supervisor.get(path)["timeline"]
    assert len(before) == 2
    with closing(sqlite3.connect(house.data / "cases.sqlite3", timeout=10)) as database:
        database.execute("DELETE FROM timeline")
        database.commit()
    rebuilt, assignments, duties = bus(house, "rebuild", "cases")
    names = [each["projection"] for each in (rebuilt, assignments, duties)]
    assert names == ["timeline", "assignments", "duties"]
    assert assignments["events"] > assignments["rows"] == 0  # planned, sent and completed
    assert rebuilt["rows"] == rebuilt["events"] > 0
    assert house.supervisor.get(path)["timeline"] == before
    again = house.admin.post("/cases/v1/bus/rebuild", {"projection": "timeline"})
    assert again["rows"] == rebuilt["rows"]
    assert house.supervisor.get(path)["timeline"] == before
    house.quiet()
    kept = house.officer.every("/audit/v1/entries", log="operator", type="doorstep.operations.projection-rebuilt.v1")
    assert len(kept) == 4


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.COLLECTOR, Role.COMPLIANCE])
def test_the_bus_is_for_admins(house, role):
    caller = house.caller(role, lender="lender-1")
    for path in ("/cases/v1/bus", "/cases/v1/bus/parked"):
        caller.get(path, expect=403)
    caller.post("/cases/v1/bus/replay", {"everything": True}, expect=403)
    caller.post("/cases/v1/bus/rebuild", {"projection": "timeline"}, expect=403)


@pytest.mark.parametrize("body", [{}, {"everything": False}, {"key": str(new_id()), "everything": True}, {"key": "x"}])
def test_a_replay_says_what_to_run(house, body):
    assert house.admin.post("/cases/v1/bus/replay", body, expect=422)["title"]


@pytest.mark.slow
def test_what_is_not_there_is_said(house):
    assert "timeline" in house.admin.post("/cases/v1/bus/rebuild", {"projection": "x"}, expect=404)["detail"]
    nothing = house.admin.post("/visits/v1/bus/replay", {"key": str(new_id())})
    assert (nothing["keys"], nothing["cured"]) == ([], 0)
    for arguments in (["replay", "visits"], ["replay", "nobody", "--all"], ["rebuild", "audit"]):
        done = subprocess.run(doorstep("bus", *arguments), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2, done.stderr
