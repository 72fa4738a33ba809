"""`doorstep up` as a user meets it: one on a folder, its tokens work, and its folder keeps its clock."""

import json
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from services.cli.demo import acts
from services.cli.demo.systems import doorstep
from services.cli.main import app
from services.embedded import PARTS
from shared import migrations
from shared.data_folder import LOCK
from tests.actors.samples import MONDAY, at, row
from tests.house import arrive, running_house


def lived_by(folder, now, *, simulated):
    """Databases whose stored clock is this one."""
    for name, part in PARTS.items():
        migrations.upgrade(part.service.migrations, f"sqlite+aiosqlite:///{folder}/{name}.sqlite3")
        with closing(sqlite3.connect(folder / f"{name}.sqlite3")) as connection, connection:
            values = (f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}", simulated)
            connection.execute("INSERT INTO business_clock (id, now, simulated) VALUES (1, ?, ?)", values)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A system that goes on by the simulated clock of its folder: ten o'clock on Monday. No option names it."""
    folder = tmp_path_factory.mktemp("up")
    lived_by(folder, datetime.fromisoformat(at(MONDAY, 10)), simulated=True)
    with running_house(folder) as running:
        yield running


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


def said_by_up(house):
    """The document that `up --json` printed."""
    text = (house.data / "up.log").read_text()
    return json.JSONDecoder().raw_decode(text[text.index('{\n "url"') :])[0]


def test_a_second_up_on_a_folder_is_refused_and_reading_is_not(house):
    port = house.url.rpartition(":")[2].strip("/")
    for command in (["up", "--port", "0"], ["migrate"]):
        refused = call(*command, "--data", str(house.data))
        assert (refused.exit_code, refused.stdout) == (3, "")
        assert f"in use by `doorstep up`, process {house.process.pid}, port {port}. End it first." in refused.stderr
    read = call("bus", "parked", "cases", "--data", str(house.data), "--json")
    assert (read.exit_code, json.loads(read.stdout)) == (0, [])
    assert json.loads((house.data / LOCK).read_text())["pid"] == house.process.pid


def test_the_collectors_token_that_up_prints_visits(house):
    said = said_by_up(house)
    collector, supervisor = (house.bearing(said["tokens"][role]) for role in ("collector", "supervisor"))
    assert collector.get("/visits/v1/visits")["items"] == []
    sound = acts.FIT_COLLECTOR | {"id": said["collector_id"]}
    assert supervisor.post("/visits/v1/collectors", sound, expect=201)["id"] == said["collector_id"]
    twice = supervisor.post("/visits/v1/collectors", sound, expect=409)
    assert twice["title"] == "collector-exists"
    team = house.team()
    team.collector_ids[0] = said["collector_id"]
    team.collectors[0] = collector
    body = {"from_day": str(MONDAY), "collector_ids": team.collector_ids, "reason": "STAND_IN"}
    supervisor.post(f"/visits/v1/teams/{team.id}/members", body)
    lender = house.lender()
    lender.place(row("A-1"))
    house.verify_addresses([lender.cases()["A-1"]])
    house.quiet()
    plan = house.plan(MONDAY, team)
    [visit] = [each for each in house.visits_of(plan) if each["case_id"] == lender.cases()["A-1"]["id"]]
    arrive(house, team, visit)
    assert visit["id"] in [each["id"] for each in collector.every("/visits/v1/visits")]


def test_an_id_that_could_be_one_of_ours_is_refused(house):
    body = {"id": "0190a0b0-0000-7000-8000-000000000001", "name": "王大明"}
    assert house.supervisor.post("/visits/v1/collectors", body, expect=422)["title"]


def test_the_lenders_token_that_up_prints_places_files(house):
    said = said_by_up(house)
    admin, lender = (house.bearing(said["tokens"][role]) for role in ("admin", "lender"))
    admin.post("/cases/v1/lenders", {"id": said["lender_id"], "name": "Development"}, expect=201)
    assert lender.every("/cases/v1/cases") == []


def test_a_token_of_the_command_is_one_of_the_running_system(house):
    token = call("token", "--role", "supervisor", "--data", str(house.data)).stdout.strip()
    assert house.bearing(token).get("/visits/v1/teams")["items"] is not None


def test_a_folder_keeps_its_simulated_clock(house):
    """A second start without the option judged all promises by the real time."""
    views = [house.admin.get(f"/{name}/v1/clock") for name in PARTS]
    assert {(view["now"], view["simulated"]) for view in views} == {("2026-03-02T02:00:00Z", True)}
    text = (house.data / "up.log").read_text()
    assert text.count("The business clock is simulated: it shows 2026-03-02T02:00:00+00:00.") == 1


@pytest.mark.slow
def test_a_folder_that_has_lived_in_real_time_refuses_a_simulated_clock(tmp_path):
    lived_by(tmp_path, datetime.now(UTC), simulated=False)
    command = doorstep("up", "--port", "0", "--data", str(tmp_path), "--json", "--clock", at(MONDAY, 7))
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr
    sentence = refused.stderr.splitlines()[-1]
    assert sentence.startswith("The data of audit, cases, followup, visits have lived by the real time.")
