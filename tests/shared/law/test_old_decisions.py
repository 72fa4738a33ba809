"""Decisions that release ec494f3 stored: run again by their own packs they come out the same, to the digest."""

import json
from pathlib import Path

import pytest

from services.visits.gate.domain import digest_of
from shared.law import Facts, Law, Step, Version, evaluate, read_pack, shipped
from shared.law.decision import Finding

STORED = json.loads(Path(__file__).with_name("decisions_of_ec494f3.json").read_text())
KEPT = [Version(read_pack(f"{name}.yaml", text.encode())) for name, text in STORED["packs"].items()]
LAW = Law((*shipped().versions, *KEPT))


@pytest.mark.parametrize("stored", STORED["decisions"], ids=lambda each: f"{each['step']}-{each['digest'][:8]}")
def test_a_decision_of_the_last_release_runs_again_the_same(stored):
    again = evaluate(LAW.exactly(stored["decision"]["packs"]), Step(stored["step"]), Facts.from_json(stored["facts"]))
    assert again.verdict == stored["verdict"]
    assert again.to_json() == stored["decision"]
    assert digest_of(again.facts.to_json(), again.to_json()) == stored["digest"]
    assert [Finding.from_json(each).verdict for each in stored["decision"]["findings"]]


def test_the_stored_decisions_show_what_has_changed_since():
    """Without the old packs and what was resolved then, most come out otherwise: the test above is worth something."""
    changed = 0
    for stored in STORED["decisions"]:
        facts = Facts.from_json(stored["facts"] | {"resolved": None})
        again = evaluate(shipped().packs_of(facts), Step(stored["step"]), facts)
        changed += again.verdict != stored["verdict"]
    assert changed >= 6
