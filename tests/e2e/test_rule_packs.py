"""The register as compliance officers use it: upload, four eyes, the first day everywhere, and trials on the past."""

import json
import subprocess
from datetime import date, timedelta

import pytest

from services.cli.demo.systems import doorstep
from shared.auth import Role
from shared.ids import new_id
from shared.law import load_packs
from tests.actors.samples import MONDAY, at, row
from tests.house import arrive, running_house

TW = load_packs()["tw"]
FIRST_DAY = MONDAY + timedelta(days=2)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running_house(tmp_path_factory.mktemp("rulepacks"), at(MONDAY, 10)) as running:
        yield running


@pytest.fixture
def officers(house):
    return house.caller(Role.COMPLIANCE, subject="officer-1"), house.caller(Role.COMPLIANCE, subject="officer-2")


def version_of(pack, name, **changes):
    """The text of a pack under a new version's name, with pieces of it changed."""
    text = pack.text.replace(f'version: "{pack.version}"', f'version: "{name}"')
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


def stricter_hours(name):
    return version_of(TW, name, hours=("until: 22:00", "until: 18:00"))


def upload(officer, text, day=FIRST_DAY, pack="tw", expect=201, media_type="application/yaml"):
    path = f"/visits/v1/rule-packs/{pack}/versions"
    headers = {"Content-Type": media_type}
    query = {"effective_from": str(day)}
    return officer.ask("POST", path, expect, content=text, headers=headers, params=query).json()


def checked(house, case, time):
    body = {"case_ids": [case["id"]], "at": time}
    [item] = house.supervisor.post("/visits/v1/gate-checks", body)["items"]
    return item["decision"]


def called(house, case, time):
    body = {"contacts": [{"case_id": case["id"], "at": time}]}
    [item] = house.supervisor.post("/cases/v1/contact-checks", body)["items"]
    return item["decision"]


@pytest.fixture
def case(house):
    lender = house.lender()
    lender.place(row("A-1"))
    [case] = lender.cases().values()
    house.verify_addresses([case])
    house.quiet()
    return case


def test_a_new_version_is_the_law_from_its_first_day_in_every_service(house, officers, case):
    first, second = officers
    proposed = upload(first, stricter_hours("2027.1"))
    assert proposed["status"] == "PROPOSED"
    assert any("18:00" in sentence for sentence in proposed["differences"]["en"])
    assert any("18:00" in sentence for sentence in proposed["differences"]["zh"])
    path = "/visits/v1/rule-packs/tw/versions/2027.1"
    assert first.post(f"{path}/approve", expect=403)["title"] == "four-eyes"
    evening = at(FIRST_DAY, 19)
    assert checked(house, case, evening)["verdict"] != "block"
    approved = second.post(f"{path}/approve", key="approve-2027.1")
    assert second.post(f"{path}/approve", key="approve-2027.1") == approved
    second.post(f"{path}/approve", expect=409)
    house.quiet()
    for judged in (checked, called):
        before = judged(house, case, at(FIRST_DAY - timedelta(days=1), 19))
        after = judged(house, case, evening)
        hours = [each for each in after["findings"] if each["rule_id"] == "tw-hours"]
        assert {each["id"]: each["version"] for each in before["packs"]}["tw"] == TW.version
        assert {each["id"]: each["digest"] for each in after["packs"]}["tw"] == approved["digest"]
        assert hours[0]["verdict"] == "block"
        assert "tw-hours" not in {e["rule_id"] for e in before["findings"] if e["verdict"] != "pass"}
    versions = first.every("/visits/v1/rule-packs/tw/versions")
    assert [each["status"] for each in versions][:2] == ["SHIPPED", "ACTIVATED"]
    today = first.get("/visits/v1/rule-packs/tw")
    later = first.get("/visits/v1/rule-packs/tw", day=str(FIRST_DAY))
    assert (today["version"], later["version"]) == (TW.version, "2027.1")
    assert len(today["rule_list"]) == today["rules"]
    entries = first.every("/audit/v1/entries", type="doorstep.visits.rule-pack-activated.v1")
    assert entries[-1]["leaf"]["actor"]["ref"] == "officer-2"


def test_back_test_counts_what_a_version_would_have_decided(house, officers, case):
    """A dispatch at ten passed; a version that begins at eleven would have stopped it."""
    team = house.team()
    plan = house.plan(MONDAY, team)
    [visit] = [each for each in house.visits_of(plan) if each["case_id"] == case["id"]]
    house.supervisor.post(f"/visits/v1/visits/{visit['id']}/dispatch")
    late = version_of(TW, "trial", hours=("from: 07:00", "from: 11:00"))
    body = {"yaml": late, "first_day": str(MONDAY), "last_day": str(MONDAY)}
    found = officers[0].post("/visits/v1/rule-packs/tw/back-test", body)
    [hours] = [each for each in found["rules"] if each["rule_id"] == "tw-hours"]
    assert found["decisions"] >= hours["changed"] >= 1
    assert {"pass", "block"} <= hours["before"].keys() | hours["after"].keys()
    assert any(change["before"] != "block" and change["after"] == "block" for change in found["verdicts"])
    example = house.supervisor.get(f"/visits/v1/decisions/{hours['examples'][0]}")
    assert "tw-hours" in {each["rule_id"] for each in example["decision"]["findings"]}
    same = officers[0].post("/visits/v1/rule-packs/tw/back-test", {"version": TW.version})
    assert all(each["changed"] == 0 for each in same["rules"])
    assert officers[0].every("/visits/v1/rule-packs/tw/versions")[-1]["version"] != "trial"
    again = officers[0].post(f"/visits/v1/decisions/{hours['examples'][0]}/replay")
    assert again["same"]


def test_a_version_can_be_rejected_and_its_name_is_spent(house, officers):
    first, second = officers
    upload(first, stricter_hours("2027.9"), FIRST_DAY + timedelta(days=30))
    path = "/visits/v1/rule-packs/tw/versions/2027.9"
    seen = second.ask("GET", path).headers["etag"]
    second.ask("POST", f"{path}/reject", 412, headers={"If-Match": '"7"'})
    second.ask("POST", f"{path}/reject", 200, headers={"If-Match": seen})
    assert second.post(f"{path}/approve", expect=409)["title"] == "pack-decided"
    assert upload(first, stricter_hours("2027.9"), expect=409)["title"] == "pack-version-exists"
    assert upload(first, stricter_hours(TW.version), expect=409)["title"] == "pack-version-exists"


BAD = {
    "a missing field": (lambda t: t.replace("kind: hours-window", "", 1), 422),
    "an unknown kind": (lambda t: t.replace("kind: hours-window", "kind: wish", 1), 422),
    "a reversed window": (lambda t: t.replace("from: 07:00", "from: 23:00"), 422),
    "a tag": (lambda t: t + "\nx: !!python/object/apply:os.system ['true']\n", 422),
    "an alias": (lambda t: t + "\nx: &a [1]\ny: *a\n", 422),
    "not YAML": (lambda t: "{", 422),
    "another pack": (lambda t: load_packs()["cn"].text, 422),
    "too large": (lambda t: t + "#" * 50_000, 413),
    "10 MB": (lambda t: t + "#" * 10_000_000, 413),
    "not UTF-8": (lambda t: t.encode() + b"\xff\xfe", 422),
    "empty": (lambda t: "", 422),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_pack_is_refused_in_words_and_the_old_one_stays(house, officers, kind):
    change, status = BAD[kind]
    before = officers[0].get("/visits/v1/rule-packs/tw")
    count = len(officers[0].every("/visits/v1/rule-packs/tw/versions"))
    problem = upload(officers[0], change(stricter_hours(f"bad-{new_id().hex[-6:]}")), expect=status)
    assert problem["status"] == status
    if problem["title"] == "pack-invalid":
        assert all("tw.yaml" in error["what"] for error in problem["errors"])
    assert officers[0].get("/visits/v1/rule-packs/tw") == before
    assert len(officers[0].every("/visits/v1/rule-packs/tw/versions")) == count


@pytest.mark.parametrize("day", [MONDAY - timedelta(days=1), MONDAY, date(2000, 1, 1)])
def test_a_version_never_changes_a_day_that_has_begun(house, officers, day):
    assert upload(officers[0], stricter_hours("2027.7"), day, expect=422)["title"] == "effective-too-early"


def test_a_body_of_another_kind_is_named(house, officers):
    upload(officers[0], "x", media_type="text/plain", expect=415)
    path = "/visits/v1/rule-packs/tw/versions"
    headers = {"Content-Type": "application/yaml"}
    problem = officers[0].ask("POST", path, 422, content=stricter_hours("2027.6"), headers=headers).json()
    assert problem["title"] == "effective-missing"
    assert officers[0].post(path, {"yaml": 1}, expect=422)["errors"]
    officers[0].get("/visits/v1/rule-packs/zz", expect=404)
    officers[0].get("/visits/v1/rule-packs/tw/versions/none", expect=404)
    officers[0].post("/visits/v1/rule-packs/tw/back-test", {}, expect=422)


def test_the_register_is_not_for_everybody(house, officers):
    lender = house.lender().caller
    lender.get("/visits/v1/rule-packs", expect=404)
    upload(lender, stricter_hours("2027.5"), expect=404)
    for role in (Role.SUPERVISOR, Role.ADMIN, Role.COLLECTOR):
        upload(house.caller(role), stricter_hours("2027.5"), expect=403)
    house.caller(Role.COLLECTOR).get("/visits/v1/rule-packs", expect=403)
    assert {"house", "tw", "cn", "us-ma"} <= {each["id"] for each in house.supervisor.every("/visits/v1/rule-packs")}
    page = house.supervisor.get("/visits/v1/rule-packs", limit=2)
    assert len(page["items"]) == 2
    assert page["next_cursor"]


def test_the_law_of_a_new_place_is_one_upload(house, officers):
    first, second = officers
    text = version_of(TW, "1", place=("id: tw\n", "id: jp\n")).replace("- id: tw-", "- id: jp-")
    upload(first, text, pack="jp")
    second.post("/visits/v1/rule-packs/jp/versions/1/approve")
    house.quiet()
    lender = house.lender(jurisdiction="jp", country="JP", time_zone="Asia/Tokyo")
    lender.place(row("A-1"))
    [case] = lender.cases().values()
    house.quiet()
    today = checked(house, case, at(MONDAY, 12))
    later = checked(house, case, at(FIRST_DAY, 12))
    assert [each["id"] for each in today["packs"]] == ["house"]
    assert [each["id"] for each in later["packs"]] == ["house", "jp"]
    assert "house-no-law" in {each["rule_id"] for each in today["findings"]}


@pytest.mark.slow
def test_a_decision_is_run_again_after_the_law_has_changed(house, officers, case):
    team = house.team()
    plan = house.plan(MONDAY, team)
    [visit] = [each for each in house.visits_of(plan) if each["case_id"] == case["id"]]
    arrive(house, team, visit)
    decisions = house.supervisor.every("/visits/v1/decisions", case_id=case["id"])
    assert {each["step"] for each in decisions} == {"PLAN", "DISPATCH", "CHECK_IN"}
    for each in decisions:
        assert house.supervisor.post(f"/visits/v1/decisions/{each['id']}/replay")["same"]
    for command in ("replay", "explain"):
        done = run("gate", command, decisions[1]["id"], "--data", str(house.data), "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["verdict"]) == (0, decisions[1]["verdict"])
    assert told["zh"] != told["en"]
    assert len(told["zh"]) == len(decisions[1]["decision"]["findings"])
    assert run("gate", "replay", str(new_id()), "--data", str(house.data)).returncode == 1
    assert run("gate", "replay", str(new_id()), "--data", str(house.data / "nothing")).returncode == 3
    assert run("gate", "explain", "nothing.json").returncode == 3


def run(*arguments):
    return subprocess.run(doorstep(*arguments), capture_output=True, text=True, check=False, timeout=120)
