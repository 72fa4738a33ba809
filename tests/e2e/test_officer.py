"""An officer's session over HTTP: from a lender's reference to "n of n, nothing missing", and to the gap where an event
was removed on its way to the trail."""

import csv
import io
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.actors.samples import row

LOOSE = "CREATE TRIGGER lose AFTER INSERT ON outbox WHEN NEW.headers LIKE '%case-held%' {}"


@pytest.fixture(scope="module")
def placed(house):
    """A lender and its case, in the trail already."""
    lender = house.lender()
    lender.place(row("REF-1"), row("REF-2"))
    house.quiet()
    return lender, lender.cases()["REF-1"]


def look_up(caller, lender, reference="REF-1", expect=200):
    return caller.post("/cases/v1/debtor-searches", {"lender_id": lender.id, "reference": reference}, expect=expect)


@contextmanager
def holds_get_lost(house):
    """Somebody with the database of cases removes each CaseHeld from the outbox before it is published."""
    with closing(sqlite3.connect(house.data / "cases.sqlite3", timeout=10)) as database:
        database.execute(LOOSE.format("BEGIN DELETE FROM outbox WHERE seq = NEW.seq; END"))
        database.commit()
        yield
        database.execute("DROP TRIGGER lose")
        database.commit()


def test_an_officer_goes_from_a_reference_to_the_verdict(house, placed):
    lender, case = placed
    [debtor] = look_up(house.officer, lender)["items"]
    assert debtor["case_id"] == case["id"]
    house.quiet()
    page = house.officer.get("/audit/v1/entries", debtor_id=debtor["debtor_id"])
    count = len(page["items"])
    assert page["verdict"]["en"] == f"{count} of {count}, nothing missing."
    assert page["verdict"]["zh"] == f"{count} 筆中有 {count} 筆，沒有缺漏。"
    looked = [item["leaf"] for item in page["items"] if item["log"] == "access"]
    assert [leaf["data"]["reason"] for leaf in looked] == ["SEARCH"]
    assert "REF-1" not in str(page)
    for _ in range(20):  # what was read a moment ago is signed a moment later
        time.sleep(0.5)
        verdict = house.officer.get("/audit/v1/verdict", debtor_id=debtor["debtor_id"])
        if verdict["proven"]:
            break
    assert (verdict["complete"], verdict["proven"]) == (True, True)
    story = house.officer.get(f"/audit/v1/cases/{case['id']}/story")
    assert story["items"][0]["en"].startswith("The case was opened: credit card, TWD 250,000 owed")
    assert story["items"][0]["at"].endswith("+08:00")
    sheet = house.officer.ask("GET", "/audit/v1/entries.csv", params={"case_id": case["id"], "log": lender.id})
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    assert [item["log"] for item in rows] == [lender.id] * len(rows)


def test_an_event_removed_on_its_way_is_named_by_the_verdict(house, placed):
    lender, _ = placed
    [debtor] = look_up(house.officer, lender, "REF-2")["items"]
    path = f"/cases/v1/cases/{debtor['case_id']}/holds"
    with holds_get_lost(house):
        body = {"reason": "HARDSHIP_REVIEW", "review_on": "2026-04-01"}
        hold = house.supervisor.post(path, body, expect=201)
    house.quiet()
    assert house.officer.get("/audit/v1/verdict", case_id=debtor["case_id"])["complete"]  # nobody can know yet
    house.supervisor.post(f"/cases/v1/holds/{hold['id']}/release", {"reason": "The review is done."})
    house.quiet()
    page = house.officer.get("/audit/v1/entries", debtor_id=debtor["debtor_id"])
    verdict = page["verdict"]
    [gap] = verdict["gaps"]
    assert (gap["kind"], gap["log"], gap["aggregate"]) == ("event-missing", lender.id, f"cases:{debtor['case_id']}")
    assert verdict["expected"] == verdict["found"] + 1
    assert f"Event {gap['version']} of cases:{debtor['case_id']} never reached the trail" in verdict["en"]
    assert f"第 {gap['version']} 個事件從未進入存證" in verdict["zh"]


def test_a_debtor_is_looked_up_by_whom_it_concerns_only(house, placed):
    lender, case = placed
    for caller in (house.officer, house.supervisor, lender.caller):
        assert look_up(caller, lender)["items"][0]["case_id"] == case["id"]
    other = house.lender()
    refused = look_up(other.caller, lender, expect=404)
    missing = look_up(other.caller, other, expect=404)
    assert refused["detail"] == missing["detail"]
    assert look_up(house.officer, lender, "nobody", expect=404)["title"] == "debtor-not-found"
    look_up(house.caller(Role.COLLECTOR, subject=str(new_id())), lender, expect=403)
    for body in ({}, {"lender_id": lender.id, "reference": ""}, {"lender_id": lender.id, "reference": "A 1"}):
        house.officer.post("/cases/v1/debtor-searches", body, expect=422)
    key = str(new_id())
    body = {"lender_id": lender.id, "reference": "REF-1"}
    again = [house.officer.post("/cases/v1/debtor-searches", body, key=key) for _ in range(2)]
    assert again[0] == again[1]
