"""A lender's file goes in: what is valid is kept, what is not is named, nothing is half done."""

import json
from decimal import Decimal

import pytest

from tests.actors.samples import HEADER, file_of, row


def codes(lender, placement):
    found = lender.caller.every(f"/cases/v1/placements/{placement['id']}/errors")
    return {(error["line"], error["field"], error["code"]) for error in found}


def test_each_bad_row_is_named_and_the_good_ones_are_kept(house):
    lender = house.lender()
    rows = [
        row("A-1", 100),
        row("A-2", -5),
        row("A-3", 0),
        row("A-4", ""),
        row("A-5", "12.3.4"),
        row("A-6", "9" * 30),
        row("A-7", 100, currency="XXX"),
        row("A-8", 100, paid="2026-12-31"),
        row("A-9", 100, paid="yesterday"),
        row("A-10", 100, days=0),
        row("A-11", 100, days="many"),
        row("A-12", 100, phone="call me"),
        row("A-13", 100, lat="91"),
        row("A 14", 100),
        row("A-15", 100, name="n" * 501),
        "A-16,too,few",
        row("A-1", 300),
        row("A-18", 200, name="𠮷野家 Ω"),
    ]
    placement = lender.place(*rows)
    assert (placement["status"], placement["received"], placement["accepted"]) == ("DONE", 18, 2)
    assert placement["accepted_balance"] == [{"amount": "300", "currency": "TWD"}]
    assert codes(lender, placement) == {
        (3, "balance", "balance-not-positive"),
        (4, "balance", "balance-not-positive"),
        (5, "balance", "balance-not-positive"),
        (6, "balance", "amount-malformed"),
        (7, "balance", "amount-too-large"),
        (8, "currency", "currency-unknown"),
        (9, "last_payment_on", "date-in-future"),
        (10, "last_payment_on", "date-malformed"),
        (11, "days_past_due", "not-past-due"),
        (12, "days_past_due", "days-past-due-malformed"),
        (13, "phone", "phone-malformed"),
        (14, "latitude", "position-malformed"),
        (15, "account_ref", "account-ref-malformed"),
        (16, "name", "value-too-long"),
        (17, "(row)", "row-malformed"),
        (18, "account_ref", "duplicate-in-file"),
    }
    assert sorted(lender.cases()) == ["A-1", "A-18"]


def test_a_broken_encoding_and_a_cut_end_harm_their_own_rows_only(house):
    lender = house.lender()
    whole = file_of(row("B-1"), row("B-2"))
    broken = row("B-3").encode("big5") + b"\n" + row("B-4").encode() + b"\n" + b"B-5,100,TW"
    placement = lender.finished(lender.send(whole + broken).headers["Location"])
    assert (placement["accepted"], placement["rejected"]) == (3, 2)
    assert codes(lender, placement) == {(4, "(row)", "encoding"), (6, "(row)", "file-cut")}
    assert sorted(lender.cases()) == ["B-1", "B-2", "B-4"]


def test_a_file_without_a_needed_column_is_refused_with_its_name(house):
    lender = house.lender()
    placement = lender.finished(lender.send(b"account,days\nC-1,30\n").headers["Location"])
    assert placement["status"] == "REFUSED"
    assert "balance" in placement["problem"]
    assert lender.cases() == {}


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "text/csv", 422),
        (b"PK\x03\x04", "application/vnd.ms-excel", 415),
        (file_of(row("D-1")), "text/plain", 415),
    ],
)
def test_what_is_no_file_of_ours_is_answered_at_once(house, content, media_type, status):
    problem = house.lender().send(content, media_type, expect=status)
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == status


def test_json_and_ndjson_say_the_same_as_csv(house):
    cells = {"account": "E-1", "balance": "1500", "currency": "TWD", "days": 40, "lat": "25.1", "lon": "121.5"}
    as_json = json.dumps({"rows": [cells, {**cells, "account": "E-2", "balance": 1.5}]}).encode()
    lines = b"\n".join([json.dumps(cells | {"account": "E-3"}).encode(), b"{oops", b"[]", b""])
    lender = house.lender()
    first = lender.finished(lender.send(as_json, "application/json").headers["Location"])
    second = lender.finished(lender.send(lines, "application/x-ndjson").headers["Location"])
    assert (first["accepted"], first["rejected_by_code"]) == (1, {"value-malformed": 1})
    assert (second["accepted"], second["rejected_by_code"]) == (1, {"row-malformed": 2})
    refused = lender.finished(lender.send(b'{"rows": 5}', "application/json").headers["Location"])
    assert refused["status"] == "REFUSED"


def test_the_same_file_again_changes_nothing(house):
    lender = house.lender()
    content = file_of(row("F-1", 10), row("F-2", -1))
    first = lender.send(content)
    placement = lender.finished(first.headers["Location"])
    again = lender.send(content)
    assert again.headers["Location"] == first.headers["Location"]
    assert lender.finished(again.headers["Location"]) == placement
    assert len(lender.cases()) == 1


def test_a_newer_file_updates_what_it_knows(house):
    lender = house.lender()
    lender.place(row("G-1", 100, days=40))
    placement = lender.place(row("G-1", 80, days=70), row("G-2", 50))
    assert (placement["accepted"], placement["updated"]) == (2, 1)
    cases = lender.cases()
    assert (cases["G-1"]["balance"]["amount"], cases["G-1"]["days_past_due"]) == ("80", 70)
    assert len(cases) == 2


def test_accounts_of_one_debtor_are_one_case(house):
    lender = house.lender(columns={"account_ref": "a", "debtor_ref": "d", "balance": "b", "days_past_due": "n"})
    lender.finished(lender.send(b"a,d,b,n\n1,K,10,5\n2,K,20,65\n3,L,30,5\n").headers["Location"])
    shapes = sorted((len(c["accounts"]), c["balance"]["amount"], c["days_past_due"]) for c in lender.cases().values())
    assert shapes == [(1, "30", 5), (2, "30", 65)]


def test_announced_totals_are_held_against_the_file(house):
    lender = house.lender()
    sent = lender.send(file_of(row("H-1", 10), row("H-2", 5)), control_rows=2, control_balance="15")
    assert lender.finished(sent.headers["Location"])["control"] == {"rows_match": True, "balance_match": True}
    sent = lender.send(file_of(row("H-3", 10)), control_rows=2, control_balance="11")
    assert lender.finished(sent.headers["Location"])["control"] == {"rows_match": False, "balance_match": False}
    problem = lender.send(file_of(row("H-4")), control_balance="a lot", expect=422)
    assert problem.json()["title"] == "control-balance"


def test_a_file_above_the_limit_is_refused_while_it_comes(house):
    lender = house.lender()

    def too_much():
        yield (HEADER + "\n").encode()
        for _ in range(101):
            yield b"x" * (1024 * 1024)

    problem = lender.send(too_much(), expect=413)
    assert "Split the file" in problem.json()["detail"]
    assert lender.place(row("I-1"))["accepted"] == 1


def test_a_profile_that_cannot_be_used_is_explained(house):
    lender = house.lender()
    path = f"/cases/v1/lenders/{lender.id}/profile"
    bad = {"columns": {"account_ref": "a", "shoe_size": "s"}, "currency": "XXX"}
    errors = house.admin.ask("PUT", path, 422, json=bad).json()["errors"]
    assert {"columns", "currency", "time_zone"} <= {error["where"] for error in errors}
    assert house.admin.get(path)["version"] == 1


def test_money_of_a_lender_is_applied_once(house):
    lender = house.lender()
    lender.place(row("J-1", "1000"))
    line = {
        "reference": "P-1",
        "account_ref": "J-1",
        "amount": {"amount": "300", "currency": "TWD"},
        "received_on": "2026-03-02",  # after the day that the file states
    }
    strange = [
        line | {"reference": "P-2", "account_ref": "nobody"},
        line | {"reference": "P-3", "amount": {"amount": "1", "currency": "USD"}},
        line | {"reference": "P-4", "received_on": "2027-01-01"},
    ]
    first = lender.caller.post("/cases/v1/payments", {"payments": [line, *strange]})["items"]
    assert [item["result"] for item in first] == ["ACCEPTED", "UNMATCHED", "REJECTED", "REJECTED"]
    assert all(item["message"] for item in first[1:])
    again = lender.caller.post("/cases/v1/payments", {"payments": [line]})["items"]
    assert [item["result"] for item in again] == ["DUPLICATE"]
    case = lender.cases()["J-1"]
    assert Decimal(case["balance"]["amount"]) == 700
    zero = line | {"reference": "P-5", "amount": {"amount": "0", "currency": "TWD"}}
    negative = line | {"reference": "P-6", "amount": {"amount": "-5", "currency": "TWD"}}
    assert {
        item["result"] for item in lender.caller.post("/cases/v1/payments", {"payments": [zero, negative]})["items"]
    } == {"REJECTED"}
