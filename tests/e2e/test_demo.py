"""The main job as a user runs it, and what a SIGKILL in its middle leaves behind."""

import json
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from services.cli.demo.systems import doorstep
from tests.actors.samples import MONDAY, RECORD, at, file_of, row
from tests.house import arrive, start_house

FEED = Path(__file__).parents[3] / "shared/data/partner_feed_uci_x_taipei.csv"
PROFILE = Path(__file__).parents[2] / "services/cli/demo/taipei.yaml"


def counted(house, lender):
    """The entries of a lender's log by what happened to its cases; a full hour may pass meanwhile: no heartbeats."""
    items = house.officer.get(f"/audit/v1/logs/{lender.id}/counts")["items"]
    counts = {item["type"].removesuffix(".v1").rpartition(".")[2]: item["count"] for item in items}
    return {kind: count for kind, count in counts.items() if kind not in ("heartbeat", "lender-agency-changed")}


def run(*arguments):
    return subprocess.run(doorstep(*arguments), capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_the_demo_reconciles_and_the_trail_verifies(tmp_path):
    done = run("demo", "--json", "--data", str(tmp_path / "data"))
    document = json.loads(done.stdout)
    assert (done.returncode, document["reconciled"]) == (0, True), document["checks"]
    accounts, promises = document["accounts"], document["promises"]
    assert accounts["received"] == 500 == accounts["accepted"] + accounts["rejected"]
    assert len(accounts["rejected_by_code"]) >= 4
    assert promises["made"] == sum(count for name, count in promises.items() if name != "made") > 50
    assert min(promises[name] for name in ("kept", "partially_kept", "broken")) > 0
    assert len(document["visits"]["blocked_by_rule"]) >= 3
    plan, illness = document["plan"], document["plan"]["illness"]
    assert (plan["days"], illness["day"]) == (5, "2026-03-03")
    assert illness["other_team"] + illness["taken_off"] >= illness["visits_of_the_team"] > 0
    assert illness["of_the_others"] <= 3, "visits stay with their team"
    assert sum(left["count"] for left in illness["left_out"].values()) == illness["taken_off"]
    assert all(left["en"] for left in illness["left_out"].values())
    decisions = document["decisions"]
    assert {each["step"] for each in decisions["by_step"]} == {"PLAN", "DISPATCH", "CHECK_IN", "COMPLETION"}
    assert len({each["rule_id"] for each in decisions["by_rule"]}) >= 3
    assert all(each["reason"]["zh"] and each["reason"]["en"] for each in decisions["example"]["findings"])
    money = {name: int(amount) for name, amount in document["money"]["TWD"].items()}
    assert money["received"] == money["applied_to_promises"] + money["unapplied"]
    assert all(log["verified"] for log in document["trail"])
    again = run("trail", "verify", "--json", "--data", str(tmp_path / "data"))
    verified = {log["log"]: log["root"] for log in json.loads(again.stdout)["logs"]}
    told = {log["log"].split("/")[1]: log["root"] for log in document["trail"]}
    # The demo's last look at the trail is itself an entry, of the log `access`.
    assert (again.returncode, verified | {"access": None}) == (0, told | {"access": None})


@pytest.mark.slow
def test_a_real_feed_goes_in_to_the_dollar(house):
    """The facts that the feed's README states."""
    if not FEED.is_file():
        pytest.skip("the real feed is not beside this checkout")
    from services.cli.demo.portfolio import load_profile, read_portfolios

    accepted, balance, codes = 0, 0, Counter()
    for portfolio in read_portfolios(FEED, load_profile(PROFILE)):
        lender = house.lender(**dict.fromkeys(("notice",)) | portfolio.profile)
        placement = lender.finished(lender.send(portfolio.csv, control_rows=portfolio.rows).headers["Location"])
        assert placement["control"]["rows_match"]
        accepted += placement["accepted"]
        balance += sum(int(amount["amount"]) for amount in placement["accepted_balance"])
        codes.update(placement["rejected_by_code"])
    assert (accepted, balance, codes) == (5129, 297_721_892, {"balance-not-positive": 1689})


@pytest.mark.slow
def test_wrong_use_of_the_demo_is_explained(tmp_path):
    assert run("demo", "--feed", str(PROFILE)).returncode == 2
    missing = run("demo", "--feed", str(tmp_path / "none.csv"), "--profile", str(PROFILE))
    assert missing.returncode == 3
    assert "no such file" in missing.stderr


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_a_sigkill(tmp_path):
    """Killed while it takes in a file and hands events on, again and again; every acknowledged file is whole."""
    data, files, size = tmp_path / "data", 4, 300
    house = start_house(data, at(MONDAY, 9))
    lender = house.lender()
    locations = []
    for number in range(files):
        rows = [row(f"{number}-{n}", 200_000 + n) for n in range(size)]
        locations.append(lender.send(file_of(*rows)).headers["Location"])
        time.sleep(0.15 * number)
        house.kill()
        house = start_house(data, at(MONDAY, 9))
        lender.caller.client = house.client
    try:
        placements = [lender.finished(location) for location in locations]
        assert [placement["accepted"] for placement in placements] == [size] * files
        house.quiet()
        cases = house.supervisor.every("/cases/v1/cases", lender_id=lender.id)
        assert len(cases) == files * size
        assert counted(house, lender) == dict.fromkeys(
            ("case-opened", "notice-recorded", "case-referred"), files * size
        )
        known = house.supervisor.post("/visits/v1/gate-checks", {"case_ids": [case["id"] for case in cases[:200]]})
        assert len(known["items"]) == 200
    finally:
        house.kill()
    done = run("trail", "verify", "--json", "--data", str(data))
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)


@pytest.mark.slow
def test_visits_that_were_being_completed_are_complete_once(tmp_path):
    """Killed while phones report; the phones send again what was not answered, under the same keys."""
    data, count = tmp_path / "data", 12
    house = start_house(data, at(MONDAY, 10))
    lender = house.lender()
    lender.place(*(row(f"A-{n}", lat=f"25.0{n:02}") for n in range(count)))
    cases = list(lender.cases().values())
    house.verify_addresses(cases)
    house.quiet()
    team = house.team()
    visits = house.visits_of(house.plan(MONDAY, team))
    assert len(visits) == count
    for visit in visits:
        arrive(house, team, visit)
    headers = team.collectors[0].headers

    def complete(visit):
        path = f"/visits/v1/visits/{visit['id']}/complete"
        try:
            answer = house.client.post(path, json=RECORD, headers=headers | {"Idempotency-Key": visit["id"]})
        except httpx.TransportError:
            return None
        return answer.status_code

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(complete, visit) for visit in visits]
        while not any(answer.done() for answer in answers):
            time.sleep(0.001)
        house.process.kill()
        before = [answer.result() for answer in answers]
    house.kill()
    assert None in before
    house = start_house(data, at(MONDAY, 10))
    try:
        assert [complete(visit) for visit in visits] == [200] * count
        house.quiet()
        done = counted(house, lender)
        assert (done["visit-completed"], done["promise-made"]) == (count, count)
        promises = house.supervisor.every("/followup/v1/promises")
        assert sorted(promise["case_id"] for promise in promises) == sorted(case["id"] for case in cases)
    finally:
        house.kill()
    verified = run("trail", "verify", "--json", "--data", str(data))
    assert (verified.returncode, json.loads(verified.stdout)["ok"]) == (0, True)
