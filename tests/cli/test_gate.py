"""`doorstep gate` as a user runs it: files in, words or JSON out, and exit statuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from shared.law import load_packs
from shared.law.stories import load_stories

SOUND = {of_pack.pack: of_pack.sound for of_pack in load_stories()}


def run(*arguments: str):
    return CliRunner().invoke(app, ["gate", *arguments])


@pytest.fixture
def visit(tmp_path):
    def write(name: str = "visit.json", **changes) -> str:
        path = tmp_path / name
        path.write_text(json.dumps({**SOUND["tw"], **changes}, ensure_ascii=False))
        return str(path)

    return write


def test_a_lawful_visit_ends_with_0(visit):
    found = run("--visit", visit())
    assert found.exit_code == 0
    assert "allowed · 准許" in found.stdout
    assert "PASS  tw-hours" in found.stdout


def test_a_block_ends_with_1_and_tells_when_it_is_lawful(visit):
    found = run("--visit", visit("visit.yaml", at="2026-03-02T23:00:00+08:00"), "--json")
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert told["verdict"] == "block"
    assert told["earliest_lawful"] == {"at": "2026-03-03T07:00:00+08:00", "rule_id": "tw-hours"}
    [blocked] = [each for each in told["findings"] if each["verdict"] == "block"]
    assert blocked["source"]
    assert blocked["reason"]["zh"]


def test_a_country_without_a_pack_is_told(visit):
    found = run("--visit", visit(jurisdiction="jp", country="JP", time_zone="Asia/Tokyo", step="PLAN"))
    assert found.exit_code == 0
    assert "No law is encoded for 'jp'" in found.stdout


PARIS = {"country": "FR", "time_zone": "Europe/Paris", "transferred": False}
LONDON = {"country": "GB", "time_zone": "Europe/London"}
BOSTON = {"country": "US", "time_zone": "America/New_York"}


@pytest.mark.parametrize(
    ("place", "packs"),
    [
        ({"jurisdiction": "fr", **PARIS}, ["house", "eu"]),
        ({"jurisdiction": "eu", **PARIS}, ["house", "eu"]),
        ({"jurisdiction": "gb", **LONDON}, ["house", "uk"]),
        ({"jurisdiction": "us-ny", **BOSTON}, ["house", "us"]),
        ({"jurisdiction": "us", "region": "MA", **BOSTON}, ["house", "us", "us-ma"]),
        ({"jurisdiction": None, "region": "MA", **BOSTON}, ["house", "us", "us-ma"]),
        ({"jurisdiction": None, **LONDON}, ["house", "uk"]),
    ],
)
def test_a_visit_is_judged_by_the_law_of_its_place_whatever_it_is_called(visit, place, packs):
    noon, night = "2026-03-02T12:00:00+00:00", "2026-03-02T03:00:00+00:00"
    told = json.loads(run("--visit", visit(at=noon, step="PLAN", **place), "--json").stdout)
    assert [each["id"] for each in told["packs"]] == packs
    assert run("--visit", visit(at=night, step="PLAN", **place)).exit_code == 1


def test_the_rules_of_a_place_are_shown_by_its_name():
    for place, packs in (("fr", ["eu"]), ("gb", ["uk"]), ("us-ny", ["us"]), ("us-ma", ["us", "us-ma"])):
        told = json.loads(run("rules", "--jurisdiction", place, "--json").stdout)
        assert [pack["id"] for pack in told["packs"]] == packs
    assert "There is no pack for 'jp'" in run("rules", "--jurisdiction", "jp").stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"at": "2026-03-02T10:00:00"}, "field at: a time needs its zone"),
        ({"hazzard": True}, "field hazzard: is not known here; perhaps hazard is meant"),
        ({"step": "LUNCH"}, "field step: 'LUNCH' is not allowed; allowed: INTAKE"),
        ({"place_type": "MOON"}, "field place_type: 'MOON' is not allowed; allowed: 'HOME'"),
        ({"at": 1_760_000_000}, "field at: a number is neither day nor time"),
        ({"jurisdiction": "TW"}, "field jurisdiction: 'TW' is spelt 'tw'"),
        ({"country": "tw"}, "field country: 'tw' is spelt 'TW'"),
        ({"consents": {"HOUR": "e1"}}, "field consents: 'HOUR' is not known; there are HOURS"),
        ({"consents": {"HOURS": " "}}, "field consents.HOURS: name the evidence"),
        ({"consents": {"HOURS": "0" * 64}}, "field consents.HOURS: name the evidence"),
        ({"grants": [{"scope": "HOURS", "evidence": ""}]}, "field grants.0.evidence: name the evidence"),
        ({"grants": [{"scope": "HOUR", "evidence": "e"}]}, "field consents: 'HOUR' is not known"),
        ({"jurisdiction": " "}, "field jurisdiction: ' ' is no pack (cn, eu"),
        ({"jurisdiction": ""}, "field jurisdiction: '' is no pack (cn, eu"),
        ({"jurisdiction": "us-NY"}, "field jurisdiction: 'us-NY' is spelt 'us-ny'"),
        ({"country": ""}, "field country: '' is no country of ISO 3166-1"),
        ({"jurisdiction": "mars"}, "field jurisdiction: 'mars' is no pack (cn, eu"),
        ({"jurisdiction": "house"}, "field jurisdiction: 'house' is no pack"),
        ({"jurisdiction": "us"}, "field jurisdiction: 'us' is no law of TW; there is tw"),
        ({"country": "UK", "jurisdiction": "uk"}, "field country: 'UK' is no country of ISO 3166-1"),
        ({"at": "1926-03-02T10:00:00+08:00"}, "field at: the year must be 2000 or later"),
        ({"notices": {"PRIOR_NOTICE": "1999-12-31T09:00:00+08:00"}}, "field notices.PRIOR_NOTICE: the year must be"),
        (
            {"quiet_periods": [{"reason": "FESTIVAL", "first_day": "1926-01-01"}]},
            "field quiet_periods.0.first_day: the",
        ),
        ({"distance_m": float("nan")}, "NaN is no number"),
        ({"distance_m": "inf"}, "field distance_m: must be a finite number"),
        ({"at": "9999-12-31T23:59:59Z"}, "field at: the year must lie between 1900 and 2199"),
        ({"collectors": [{"cleared": True}]}, "field collectors.0.ref: is missing"),
    ],
)
def test_facts_that_are_wrong_are_named(visit, changes, words):
    found = run("--visit", visit(**changes))
    assert found.exit_code == 2
    assert words in found.stderr


def test_files_that_are_missing_or_no_facts(tmp_path):
    assert run("--visit", str(tmp_path / "none.yaml")).exit_code == 3
    path = tmp_path / "list.yaml"
    path.write_text("- a\n- b")
    found = run("--visit", str(path))
    assert found.exit_code == 2
    assert "mapping of facts" in found.stderr
    path.write_bytes(b"a: !!python/object:os.system x")
    assert run("--visit", str(path)).exit_code == 2


def test_the_rules_of_a_place_with_their_sources():
    told = json.loads(run("rules", "--jurisdiction", "us-ma", "--json").stdout)
    assert [pack["id"] for pack in told["packs"]] == ["us", "us-ma"]
    assert all(rule["source"] for pack in told["packs"] for rule in pack["rules"])
    assert run("rules", "--jurisdiction", "tw").exit_code == 0
    assert run("rules", "--jurisdiction", "mars").exit_code == 2


def test_every_rule_has_its_stories():
    found = run("stories", "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["ok"]
    assert {story["rule_id"] for story in told["stories"]} == {
        r.id for pack in load_packs().values() for r in pack.rules
    }
    assert all(story["sentence"]["zh"] for story in told["stories"])
    assert "tw-hours" in run("stories", "--jurisdiction", "tw").stdout


def test_a_pack_is_checked_and_its_changes_told(tmp_path):
    path = Path(tmp_path / "tw.yaml")
    path.write_text(load_packs()["tw"].text.replace("until: 22:00", "until: 21:00"))
    found = run("check", str(path))
    assert found.exit_code == 0
    assert "tw-hours: parameters.until was 22:00, is now 21:00." in found.stdout
    path.write_text(load_packs()["tw"].text.replace("kind: notice", "kind: rumour"))
    refused = run("check", str(path), "--json")
    assert refused.exit_code == 1
    assert "'rumour' is unknown" in json.loads(refused.stdout)["problems"][0]


def test_a_stored_decision_is_explained(visit, tmp_path):
    stored = tmp_path / "decision.json"
    stored.write_text(run("--visit", visit(address_verified=False), "--json").stdout)
    found = run("explain", str(stored), "--json")
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert told["en"][0].startswith("not allowed: house-address: The address is verified before anybody goes there.")
    assert told["zh"][0].startswith("不准許: house-address")
    stored.write_text(json.dumps({"decision": json.loads(stored.read_text()), "facts": {}}))
    assert "不准許" in run("explain", str(stored)).stdout
    stored.write_text("{}")
    assert run("explain", str(stored)).exit_code == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"at": 1, "at": 2}', "the field 'at' is there twice"),
        ('{"findings": []}', "verdict: is missing"),
        ('{"findings": [], "verdict": "perhaps"}', "'perhaps' is not allowed"),
    ],
    ids=["deep", "doubled", "nothing", "unknown"],
)
def test_a_file_that_is_no_decision_is_refused_in_words(tmp_path, content, words):
    path = tmp_path / "decision.json"
    path.write_text(content)
    found = run("explain", str(path))
    assert found.exit_code == 2
    assert words in found.stderr
