"""Calls, consents, quiet days, preferences and complaints: what is asked before a contact, and what stops it."""

from datetime import timedelta

import pytest

from shared.auth import Role
from shared.ids import new_id
from tests.actors.samples import DIGEST, MONDAY, at, row
from tests.house import running_house

CN = {"jurisdiction": "cn", "country": "CN", "time_zone": "Asia/Shanghai", "currency": "TWD"}
NEW_YORK = {"lat": "40.71", "lon": "-74.01"}
US = {"jurisdiction": "us", "country": "US", "time_zone": "America/New_York", "notice": None}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """It is noon on Monday, in Taipei."""
    with running_house(tmp_path_factory.mktemp("contacts"), at(MONDAY, 12)) as running:
        yield running


@pytest.fixture
def placed(house):
    """Gives a new lender with one case, which visits knows, too."""

    def place(**profile):
        lender = house.lender(**profile)
        lender.place(row("A-1", **(NEW_YORK if profile.get("country") == "US" else {})))
        [case] = lender.cases().values()
        house.quiet()
        return lender, case

    return place


def ask(caller, case, expect=200, **contact):
    answer = caller.post("/cases/v1/contact-checks", {"contacts": [{"case_id": case["id"], **contact}]}, expect)
    return answer["items"][0] if expect == 200 else answer


def rules(item, verdict="block"):
    return {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == verdict}


def tried(house, case, time, result="NO_ANSWER", **more):
    attempt = {"case_id": case["id"], "channel": "CALL", "result": result, "at": time, **more}
    return house.supervisor.post("/cases/v1/contact-attempts", {"attempts": [attempt]})


def consent(caller, case, scope, expect=201, **more):
    body = {"scope": scope, "channel": "IN_WRITING", "given_at": at(MONDAY, 9), "proof_digest": DIGEST, **more}
    return caller.post(f"/cases/v1/cases/{case['id']}/consents", body, expect)


def test_a_call_is_judged_at_the_debtors_local_time(house, placed):
    _, case = placed()
    assert rules(ask(house.supervisor, case, at=at(MONDAY, 12))) == set()
    night = ask(house.supervisor, case, at=at(MONDAY, 23))
    assert (night["verdict"], rules(night)) == ("block", {"tw-hours"})
    assert night["decision"]["packs"]
    assert rules(ask(house.supervisor, case, at=at(MONDAY, 12), person="THIRD_PARTY")) == {"tw-no-third-party-contact"}
    ask(house.supervisor, case, at="2026-03-02T12:00:00", expect=422)


def test_cn_allows_three_conversations_a_day_and_warns_after_six_calls_that_nobody_answers(house, placed):
    _, case = placed(**CN)
    for number in range(6):
        tried(house, case, at(MONDAY, 9, number))
    seventh = ask(house.supervisor, case)
    assert seventh["verdict"] == "warn"
    assert any("unanswered" in rule for rule in rules(seventh, "warn"))
    assert not any("unanswered" in rule for rule in rules(ask(house.supervisor, case, contact_point="phone-2"), "warn"))
    for number in range(3):
        recorded = tried(house, case, at(MONDAY, 10, number), "RPC_OTHER")
        assert recorded["flagged"] == []
    fourth = ask(house.supervisor, case)
    assert rules(fourth) == {"cn-call-cap"}
    assert rules(ask(house.supervisor, case, channel="SMS")) == set()
    recorded = tried(house, case, at(MONDAY, 11), "RPC_OTHER")
    assert (recorded["recorded"], recorded["flagged"]) == (1, [{"index": 0, "rules": ["cn-call-cap"]}])
    [flagged] = house.officer.every("/cases/v1/contact-attempts", case_id=case["id"], flagged=True)
    assert (flagged["result"], flagged["flagged"]) == ("RPC_OTHER", ["cn-call-cap"])
    assert rules(ask(house.supervisor, case, at=at(MONDAY + timedelta(days=1), 12))) == set()


def test_us_allows_seven_calls_in_seven_days_and_none_within_seven_days_of_a_conversation(house, placed):
    lender, case = placed(**US)
    noon = "2026-03-01T12:00:00-05:00"
    batch = [
        {"case_id": case["id"], "channel": "CALL", "result": "NO_ANSWER", "at": f"2026-02-{22 + n}T12:00:00-05:00"}
        for n in range(7)
    ]
    recorded = house.supervisor.post("/cases/v1/contact-attempts", {"attempts": batch})
    assert recorded["flagged"] == []
    assert "us-calls-7in7" in rules(ask(lender.caller, case, at="2026-02-28T18:00:00-05:00"))
    assert not {rule for rule in rules(ask(lender.caller, case, at=noon)) if "7in7" in rule}
    _, other = placed(**US)
    tried(house, other, "2026-02-27T12:00:00-05:00", "RPC_OTHER")
    stopped = ask(house.supervisor, other, at=noon)
    assert any(rule.startswith("us-calls") for rule in rules(stopped))
    early = ask(house.supervisor, other, at="2026-03-09T07:59:00-04:00")
    assert "us-hours" in rules(early)


def test_a_third_party_is_asked_only_when_the_debtor_is_lost_and_never_again_after_a_refusal(house, placed):
    _, case = placed(**CN)
    friend = {"person": "THIRD_PARTY", "contact_point": "friend-1"}
    assert "cn-contact-person" in rules(ask(house.supervisor, case, **friend))
    for days in (6, 5, 4):
        tried(house, case, at(MONDAY - timedelta(days=days), 10), "WRONG_NUMBER")
    assert rules(ask(house.supervisor, case, **friend)) == set()
    assert "cn-contact-person" in rules(ask(house.supervisor, case, **friend, discloses=True))
    tried(house, case, at(MONDAY, 9), "THIRD_PARTY_REFUSED", **friend)
    assert "cn-contact-person" in rules(ask(house.supervisor, case, **friend))
    assert rules(ask(house.supervisor, case, person="THIRD_PARTY", contact_point="friend-2")) == set()


def test_a_consent_lifts_its_rule_until_it_is_withdrawn(house, placed):
    lender, case = placed()
    night = at(MONDAY, 23)
    given = consent(lender.caller, case, "HOURS", valid_until=at(MONDAY + timedelta(days=9), 9))
    lifted = ask(house.supervisor, case, at=night)
    [hours] = [each for each in lifted["decision"]["findings"] if each["rule_id"] == "tw-hours"]
    assert (hours["verdict"], hours["overridden_by"]) == ("pass", given["id"])
    house.quiet()
    check = {"case_ids": [case["id"]], "at": night}
    [item] = house.supervisor.post("/visits/v1/gate-checks", check)["items"]
    assert "tw-hours" not in {e["rule_id"] for e in item["decision"]["findings"] if e["verdict"] == "block"}
    over = ask(house.supervisor, case, at=at(MONDAY + timedelta(days=9), 23))
    assert rules(over) == {"tw-hours"}
    path = f"/cases/v1/consents/{given['id']}/withdraw"
    house.lender().caller.post(path, {}, expect=404)
    withdrawn = lender.caller.post(path, {}, key="withdraw")
    assert lender.caller.post(path, {}, key="withdraw") == withdrawn
    lender.caller.post(path, {}, expect=409)
    assert rules(ask(house.supervisor, case, at=night)) == {"tw-hours"}
    house.quiet()
    [item] = house.supervisor.post("/visits/v1/gate-checks", check)["items"]
    assert "tw-hours" in {e["rule_id"] for e in item["decision"]["findings"] if e["verdict"] == "block"}
    [kept] = house.officer.every(f"/cases/v1/cases/{case['id']}/consents")
    assert kept == withdrawn


@pytest.mark.parametrize(
    "change",
    [
        {"given_at": at(MONDAY, 23)},
        {"given_at": "2026-03-02T09:00:00"},
        {"valid_until": at(MONDAY, 8)},
        {"scope": "EVERYTHING"},
        {"proof_digest": "he said so"},
    ],
)
def test_a_consent_that_cannot_be_meant_is_refused(house, placed, change):
    lender, case = placed()
    assert consent(lender.caller, case, **({"scope": "HOURS"} | change), expect=422)["status"] == 422
    assert lender.caller.every(f"/cases/v1/cases/{case['id']}/consents") == []


def test_only_who_knows_the_debtor_records_consents(house, placed):
    _, case = placed()
    consent(house.lender().caller, case, "HOURS", expect=404)
    consent(house.caller(Role.COLLECTOR, subject=str(new_id())), case, "HOURS", expect=404)
    consent(house.admin, case, "HOURS", expect=403)


def test_a_complaint_stops_contact_until_it_is_answered(house, placed):
    lender, case = placed()
    path = f"/cases/v1/cases/{case['id']}/complaints"
    body = {"kind": "CONDUCT", "channel": "LETTER", "proof_digest": DIGEST}
    filed = lender.caller.post(path, body, expect=201, key="complaint")
    assert lender.caller.post(path, body, expect=201, key="complaint") == filed
    assert filed["answer_due_on"] > str(MONDAY)
    assert filed["due_by_rule"] != "none"
    assert not filed["overdue"]
    assert "house-hold" in rules(ask(house.supervisor, case))
    house.quiet()
    [item] = house.supervisor.post("/visits/v1/gate-checks", {"case_ids": [case["id"]]})["items"]
    assert "house-hold" in {e["rule_id"] for e in item["decision"]["findings"] if e["verdict"] == "block"}
    answer = {"outcome": "UPHELD", "answer_digest": DIGEST}
    resolve = f"/cases/v1/complaints/{filed['id']}/resolve"
    house.supervisor.post(resolve, answer, expect=403)
    lender.caller.post(resolve, answer, expect=404)
    done = house.officer.post(resolve, answer)
    assert done["outcome"] == "UPHELD"
    house.officer.post(resolve, answer, expect=409)
    assert "house-hold" not in rules(ask(house.supervisor, case))
    other = house.lender().caller
    other.post(path, body, expect=404)
    assert filed["id"] not in {each["id"] for each in other.every("/cases/v1/complaints")}
    assert [each["id"] for each in lender.caller.every("/cases/v1/complaints")] == [filed["id"]]
    late = lender.caller.post(path, body | {"filed_at": at(MONDAY - timedelta(days=90), 9)}, expect=201)
    assert late["overdue"]
    overdue = house.officer.every("/cases/v1/complaints", overdue=True, resolved=False, case_id=case["id"])
    assert [each["id"] for each in overdue] == [late["id"]]
    lender.caller.post(path, body | {"filed_at": at(MONDAY, 23)}, expect=422)
    lender.caller.post(path, body | {"kind": "ODD"}, expect=422)


def test_quiet_days_and_preferences_are_known_where_they_count(house, placed):
    _, case = placed(**{"jurisdiction": "uk", "country": "GB", "time_zone": "Europe/London", "notice": None})
    period = {"reason": "BREATHING_SPACE", "first_day": "2026-03-02", "last_day": "2026-04-30", "proof_digest": DIGEST}
    path = f"/cases/v1/cases/{case['id']}"
    house.supervisor.post(f"{path}/quiet-periods", period | {"last_day": "2026-01-01"}, expect=422)
    house.supervisor.post(f"{path}/quiet-periods", period, expect=201)
    assert "uk-breathing" in rules(ask(house.supervisor, case, at="2026-03-10T12:00:00+00:00"))
    assert "uk-breathing" not in rules(ask(house.supervisor, case, at="2026-05-04T12:00:00+01:00"))
    house.supervisor.get(f"{path}/contact-preference", expect=404)
    said = {"channels": ["SMS"], "windows": [{"weekday": 1, "opens_at": "18:00", "closes_at": "20:00"}]}
    seen = house.supervisor.ask("PUT", f"{path}/contact-preference", 200, json=said).headers["etag"]
    check = {"at": "2026-03-02T19:00:00+00:00"}
    assert ask(house.supervisor, case, **check)["suits_the_debtor"] is False
    assert ask(house.supervisor, case, **check, channel="SMS")["suits_the_debtor"] is True
    newer = said | {"channels": [], "inconvenient_places": ["WORKPLACE"], "employer_forbids": True}
    stale = {"If-Match": '"9"'}
    house.supervisor.ask("PUT", f"{path}/contact-preference", 412, json=newer, headers=stale)
    house.supervisor.ask("PUT", f"{path}/contact-preference", 200, json=newer, headers={"If-Match": seen})
    assert house.supervisor.get(f"{path}/contact-preference")["inconvenient_places"] == ["WORKPLACE"]
    reversed_window = {"windows": [{"weekday": 1, "opens_at": "20:00", "closes_at": "18:00"}]}
    house.supervisor.ask("PUT", f"{path}/contact-preference", 422, json=reversed_window)
    house.lender().caller.ask("PUT", f"{path}/contact-preference", 404, json=said)


def test_two_hundred_contacts_at_a_time_and_not_one_more(house):
    lender = house.lender()
    lender.place(*(row(f"B-{n}", 10) for n in range(200)))
    contacts = [{"case_id": case["id"]} for case in lender.cases().values()]
    items = lender.caller.post("/cases/v1/contact-checks", {"contacts": contacts})["items"]
    assert [item["case_id"] for item in items] == [contact["case_id"] for contact in contacts]
    lender.caller.post("/cases/v1/contact-checks", {"contacts": contacts + contacts[:1]}, expect=422)
    lender.caller.post("/cases/v1/contact-checks", {"contacts": []}, expect=422)
    ask(house.lender().caller, {"id": contacts[0]["case_id"]}, expect=404)
    ask(house.officer, {"id": contacts[0]["case_id"]}, expect=403)


def test_third_parties_data_are_refused_where_the_law_says_so(house):
    columns = {"third_party_columns": ["name"]}
    taken = house.lender(**columns, **US).place(row("A-1", **NEW_YORK))
    lender = house.lender(**columns)
    refused = lender.place(row("A-1"))
    assert (taken["accepted"], refused["accepted"], refused["rejected_by_code"]) == (1, 0, {"third-party-data": 1})
    [error] = lender.caller.every(f"/cases/v1/placements/{refused['id']}/errors")
    assert "tw-no-third-party" in error["message"]


def test_the_trail_holds_what_was_recorded(house, placed):
    lender, case = placed()
    given = consent(lender.caller, case, "HOURS")
    lender.caller.post(f"/cases/v1/consents/{given['id']}/withdraw", {})
    house.quiet()
    kinds = [e["leaf"]["type"].split(".")[2] for e in house.officer.every("/audit/v1/entries", case_id=case["id"])]
    assert kinds[-2:] == ["consent-recorded", "consent-withdrawn"]
