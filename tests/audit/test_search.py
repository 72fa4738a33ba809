"""Search in the trail over HTTP, on both databases: criteria, pages that stay, streams, and who may."""

import csv
import io
import json
from typing import Any

import pytest

from services.audit.search.streams import plain_cell
from shared.auth import Role
from shared.ids import new_id
from tests.audit.desk import LENDER, Desk, opened, paid


def types(page: Any) -> list[str]:
    return [item["leaf"]["type"].split(".")[2] for item in page["items"]]


@pytest.mark.dialect
async def test_every_criterion_finds_what_it_names(desk: Desk, case: dict[str, Any]) -> None:
    found = await desk.get("/entries", case_id=case["case"])
    assert types(found) == [
        "case-opened",
        "case-referred",
        "gate-decided",
        "gate-decided",
        "visit-completed",
        "case-held",
        "payment-received",
    ]
    assert types(await desk.get("/entries", debtor_id=case["debtor"])) == types(found)
    at = found["items"][4]["leaf"]["occurredAt"]
    for query, wanted in (
        ({"collector_id": case["collector"]}, ["visit-completed"]),
        ({"case_id": case["case"], "type": "doorstep.cases.case-held.v1"}, ["case-held"]),
        ({"disposition": "PROMISE_TO_PAY"}, ["visit-completed"]),
        ({"disposition": "REFUSED_TO_PAY"}, []),
        ({"outcome": "block", "log": LENDER}, ["gate-decided"]),
        ({"rule_id": "tw-hours"}, ["gate-decided"]),
        ({"rule_id": "large-balance", "case_id": case["case"]}, ["case-referred"]),
        ({"correlation_id": "thread-2"}, ["visit-completed"]),
        ({"from": at, "log": LENDER}, ["visit-completed", "case-held", "payment-received"]),
        ({"until": at, "log": LENDER, "type": "doorstep.cases.case-opened.v1"}, ["case-opened"]),
        ({"log": "lender-2"}, ["case-opened"]),
        ({"actor": "supervisor:s-1", "log": "lender-2"}, ["case-opened"]),
        ({"case_id": case["case"], "collector_id": case["collector"]}, ["visit-completed"]),
        ({"case_id": case["other"], "collector_id": case["collector"]}, []),
        ({"promise_id": new_id()}, []),
        ({"visit_id": new_id()}, []),
        ({"type": ["doorstep.cases.case-held.v1", "doorstep.cases.case-referred.v1"]}, ["case-referred", "case-held"]),
    ):
        assert types(await desk.get("/entries", **query)) == wanted, query


async def test_pages_stay_what_they_were_while_the_log_grows(desk: Desk, case: dict[str, Any]) -> None:
    for query in (
        {"case_id": case["case"]},
        {"debtor_id": case["debtor"]},
        {"log": LENDER},
        {"actor": "supervisor:s-1"},
    ):
        whole = await desk.get("/entries", **query, limit=200)
        seen, cursor = [], None
        while True:
            page = await desk.get("/entries", **query, limit=2, **({"cursor": cursor} if cursor else {}))
            seen += page["items"]
            await desk.hear(paid(case["case"]), subject=case["case"])
            late = new_id()
            await desk.hear(opened(late, new_id(), "lender-3"), subject=late, lender="lender-3")
            await desk.settle()
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [item["index"] for item in seen] == [item["index"] for item in whole["items"]]


async def test_a_search_as_of_a_size_leaves_out_what_came_later(desk: Desk, case: dict[str, Any]) -> None:
    page = await desk.get("/entries", case_id=case["case"], log=LENDER, size=3)
    assert types(page) == ["case-opened", "case-referred", "gate-decided"]
    assert page["sizes"] == {LENDER: 3}
    assert page["verdict"]["en"] == "3 of 3, nothing missing."


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "WyJhIl0"}, "cursor"),
        ({"log": LENDER, "size": 10_000}, "beyond-the-tree"),
        ({"size": 1}, "size-of-which-log"),
        ({"log": LENDER, "size": -1}, "malformed"),
        ({"from": "2026-03-02T10:00:00"}, "malformed"),
        ({"from": "1999-03-02T10:00:00Z"}, "time-out-of-range"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "time-out-of-range"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "time-out-of-range"),
        ({"from": "2026-03-03T10:00:00Z", "until": "2026-03-02T10:00:00Z"}, "time-reversed"),
        ({"type": "doorstep.cases.nothing.v1"}, "unknown-type"),
        ({"disposition": "HAPPY"}, "malformed"),
        ({"disposition": "NO_ANSWER", "outcome": "block"}, "outcome-twice"),
        ({"outcome": "王小明"}, "malformed"),
        ({"case_id": "12"}, "malformed"),
        ({"limit": 0}, "malformed"),
    ],
)
async def test_bad_input_is_told_apart(desk: Desk, case: dict[str, Any], query: dict[str, Any], code: str) -> None:
    answer = await desk.ask("/entries", expect=422, **query)
    assert (answer.headers["content-type"], answer.json()["title"]) == ("application/problem+json", code)
    assert answer.json()["detail"]


async def test_a_cursor_of_another_search_is_refused(desk: Desk, case: dict[str, Any]) -> None:
    page = await desk.get("/entries", case_id=case["case"], limit=2)
    assert (await desk.get("/entries", 422, log=LENDER, cursor=page["next_cursor"]))["title"] == "cursor"
    assert (await desk.get("/entries", 404, log="nobody"))["title"] == "log-not-found"
    assert (await desk.get("/verdict", 422, log=LENDER))["title"] == "one-subject"
    assert (await desk.get("/verdict", 422, case_id=case["case"], outcome="block"))["title"] == "one-subject"


async def test_streams_hold_the_same_as_the_pages(desk: Desk, case: dict[str, Any]) -> None:
    for _ in range(600):
        await desk.hear(paid(case["case"]), subject=case["case"])
    await desk.settle()
    lines = (await desk.ask("/entries.ndjson", case_id=case["case"])).text.splitlines()
    sheet = await desk.ask("/entries.csv", case_id=case["case"])
    rows = list(csv.DictReader(io.StringIO(sheet.content.decode("utf-8-sig"))))
    indexes = [int(row["index"]) for row in rows if row["log"] == LENDER]
    assert indexes == [json.loads(line)["index"] for line in lines if json.loads(line)["log"] == LENDER]
    assert len(indexes) == 607
    assert rows[1]["rules"] == "large-balance"
    assert json.loads(rows[1]["data"])["rule_id"] == "large-balance"
    assert len((await desk.ask("/entries.ndjson", log=LENDER, size=5)).text.splitlines()) == 5
    assert (await desk.ask("/entries.csv", promise_id=new_id())).text.count("\n") == 1


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert plain_cell(cell) == f"'{cell}"
    assert plain_cell("a=1") == "a=1"
    assert plain_cell(None) == ""


@pytest.mark.dialect
async def test_every_search_and_reading_is_an_entry_of_access(desk: Desk, case: dict[str, Any]) -> None:
    case_id = str(case["case"])
    await desk.ask("/entries", case_id=case_id, outcome="block")
    await desk.ask("/entries", outcome="wang-hsiao-ming")
    await desk.ask("/entries.csv", debtor_id=case["debtor"])
    await desk.ask("/entries.ndjson", log=LENDER)
    await desk.ask("/verdict", case_id=case_id)
    await desk.ask(f"/entries/{LENDER}/0")
    await desk.ask(f"/logs/{LENDER}/counts")
    await desk.ask(f"/logs/{LENDER}/tile/entries/000.p/5")
    await desk.ask(f"/logs/{LENDER}/tile/0/000.p/5")  # hashes only: no reading
    leaves = await desk.accesses()
    assert {leaf["actor"]["kind"] + ":" + leaf["actor"]["ref"] for leaf in leaves} == {"compliance:officer-1"}
    said = [leaf["data"] for leaf in leaves]
    assert [(data["form"], data.get("found")) for data in said] == [
        ("PAGE", 1),
        ("PAGE", 0),
        ("CSV", None),
        ("NDJSON", None),
        ("COUNTS", 7),
        ("ENTRY", None),
        ("COUNTS", 7),
        ("BUNDLE", None),
    ]
    assert (said[0]["case_id"], said[0]["outcome"], said[0]["sizes"]) == (case_id, "block", {LENDER: 7})
    assert "outcome" not in said[1]  # a word that no entry bears might be a name
    assert said[5]["case_ids"] == [case_id]
    assert (said[7]["first_index"], said[7]["last_index"]) == (0, 4)
    assert {"ref": f"case:{case_id}", "n": 1, "prev": None} in leaves[0]["subjects"]


@pytest.mark.parametrize(
    ("role", "status"), [(Role.COLLECTOR, 403), (Role.SUPERVISOR, 403), (Role.LENDER, 404), (Role.ADMIN, 200)]
)
async def test_the_search_is_for_officers(desk: Desk, case: dict[str, Any], role: Role, status: int) -> None:
    for path in (
        "/entries",
        "/entries.csv",
        "/entries.ndjson",
        f"/verdict?case_id={case['case']}",
        f"/entries/{LENDER}/0",
    ):
        answer = await desk.client.get(f"/audit/v1{path}", headers=desk.bearer(role))
        assert answer.status_code == status, path


@pytest.mark.dialect
async def test_the_logs_come_in_pages_by_name(desk: Desk, case: dict[str, Any]) -> None:
    whole = await desk.get("/logs")
    assert [log["log"] for log in whole["items"]] == ["lender-1", "lender-2", "operator"]
    assert whole["next_cursor"] is None
    first = await desk.get("/logs", limit=2)
    second = await desk.get("/logs", limit=2, cursor=first["next_cursor"])
    assert first["items"] + second["items"] == whole["items"]
    assert second["next_cursor"] is None
