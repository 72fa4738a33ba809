"""Day plans when something goes wrong: the house killed while it plans, the planner's process killed; and what debtors
want, what the law forbids and who may go, as a supervisor sees them over HTTP."""

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from services.cli.demo import acts
from tests.actors.samples import MONDAY, TAIPEI, at, row
from tests.house import running_house, start_house

SHIFT = {"start": "09:00", "end": "18:00"}


def planners_of(pid: int) -> list[int]:
    """The planner's processes that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if "services.visits.routing.worker" in line and parent == pid:
            found.append(int(folder.name))
    return found


def wait_for_planner(house) -> int:
    for _ in range(600):
        found = planners_of(house.process.pid)
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no planner was started")


def wait_for_progress(house, plan):
    """Until the planner has found a first plan; before, one that died would be started anew."""
    path = f"/visits/v1/day-plans/{plan['id']}/progress"
    with house.client.stream("GET", path, headers=house.supervisor.headers) as stream:
        assert "event: progress" in next(line for line in stream.iter_lines() if line.startswith("event"))


def placed(house, *rows):
    lender = house.lender()
    lender.place(*rows)
    cases = lender.cases()
    house.verify_addresses(list(cases.values()))
    house.quiet()
    return cases


def eight(house):
    rows = (row(f"A-{n}", balance=250_000 + n, lat=f"25.0{n}", lon=f"121.5{n}") for n in range(1, 9))
    return placed(house, *rows)


@pytest.mark.slow
def test_a_plan_that_was_cut_off_by_a_kill_is_solved_after_the_restart(tmp_path):
    house = start_house(tmp_path, at(MONDAY, 8))
    try:
        eight(house)
        wish = {"day": str(MONDAY), "team_ids": [house.team().id], "shift": SHIFT, "iterations": 60_000}
        plan = house.supervisor.post("/visits/v1/day-plans", wish, expect=202)
        wait_for_planner(house)
        time.sleep(1)
        assert house.supervisor.get(f"/visits/v1/day-plans/{plan['id']}")["status"] == "DRAFT"
        house.kill()
        house = start_house(tmp_path, at(MONDAY, 8))
        again = house.supervisor.does(acts.planned(plan["id"]))
        assert (again["status"], again["visits"], again["problem"]) == ("PUBLISHED", 8, None)
        assert len(house.visits_of(plan)) == 8
    finally:
        house.kill()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running_house(tmp_path_factory.mktemp("trouble"), at(MONDAY, 8)) as running:
        yield running


def test_a_planner_that_dies_fails_the_plan_with_a_sentence_and_nothing_else(house):
    eight(house)
    wish = {"day": str(MONDAY), "team_ids": [house.team().id], "shift": SHIFT, "iterations": 900_000}
    plan = house.supervisor.post("/visits/v1/day-plans", wish, expect=202)
    wait_for_progress(house, plan)
    os.kill(wait_for_planner(house), 9)
    failed = house.supervisor.does(acts.planned(plan["id"]))
    assert failed["status"] == "FAILED"
    assert "ended without a plan" in failed["problem"]
    again = house.planned(wish | {"iterations": 50})
    assert (again["status"], again["visits"]) == ("PUBLISHED", 8)


def test_wishes_are_kept_and_each_case_that_cannot_be_visited_says_why(house):
    names = ("wish", "other-day", "unverified", "hazard", "held", "free")
    rows = (row(name, lat=f"25.02{n}", lon=f"121.53{n}", name=f"王{n}") for n, name in enumerate(names))
    lender = house.lender()
    lender.place(*rows)
    cases = lender.cases()
    house.verify_addresses([cases[name] for name in names if name != "unverified"])
    house.supervisor.does(acts.verify_addresses({cases["hazard"]["id"]: True}, at=at(MONDAY, 8)))
    house.officer.does(acts.place_hold(cases["held"]["id"], "COMPLAINT_PENDING", "2026-04-01"))
    for name, weekday in (("wish", 1), ("other-day", 2)):
        said = {"windows": [{"weekday": weekday, "opens_at": "15:00", "closes_at": "16:00"}]}
        house.supervisor.ask("PUT", f"/cases/v1/cases/{cases[name]['id']}/contact-preference", 200, json=said)
    house.quiet()
    ours = [case["id"] for case in cases.values()]
    wish = {"day": str(MONDAY), "team_ids": [house.team().id], "shift": SHIFT, "iterations": 100, "publish": False}
    plan = house.planned(wish | {"priority_case_ids": ours})
    path = f"/visits/v1/day-plans/{plan['id']}"
    stops = {s["case_id"]: s for r in house.supervisor.get(f"{path}/routes")["items"] for s in r["stops"]}
    assert at(MONDAY, 15) <= taipei(stops[cases["wish"]["id"]]["start"])
    assert taipei(stops[cases["wish"]["id"]]["end"]) <= at(MONDAY, 16)
    assert stops[cases["free"]["id"]]["prize"]["outranks"] == "urgent"
    left = {each["case_id"]: each for each in house.supervisor.every(f"{path}/left-out")}
    reasons = {name: left[cases[name]["id"]]["reason"] for name in names if cases[name]["id"] in left}
    assert reasons == {
        "other-day": "no-lawful-window",
        "unverified": "address-not-verified",
        "hazard": "hazard-without-safety-plan",
        "held": "held",
    }
    for name in ("unverified", "hazard", "held"):
        decision = house.supervisor.get(f"/visits/v1/decisions/{left[cases[name]['id']]['decision_id']}")
        assert decision["decision"]["verdict"] == "block"
    ended_certificate = {"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2026-02-28"}
    unable = house.team(certificates=[ended_certificate])
    plan = house.planned(wish | {"team_ids": [unable.id]})
    left = {each["case_id"]: each for each in house.supervisor.every(f"/visits/v1/day-plans/{plan['id']}/left-out")}
    assert left[cases["free"]["id"]]["reason"] == "no-team-with-the-skill"


def taipei(moment: str) -> str:
    """As the tests write times."""
    return datetime.fromisoformat(moment).astimezone(TAIPEI).isoformat()
