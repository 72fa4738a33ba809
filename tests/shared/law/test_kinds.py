"""Each kind of rule by its table of examples: what is met, what is not, and what is missing."""

import json
from pathlib import Path

import pytest

from shared.law import Facts, Step
from shared.law.kinds import KINDS
from shared.law.places import moment_of
from shared.plain_yaml import read_plain

TABLES = read_plain(Path(__file__).with_name("examples.yaml").read_bytes())
ACT = {"jurisdiction": "tw", "country": "TW", "at": "2026-03-02T10:00:00+08:00"}
ROWS = [
    (kind, table.get("parameters", {}), row)
    for kind, tables in TABLES.items()
    for table in tables
    for row in table["rows"]
]


@pytest.mark.parametrize(
    ("kind", "parameters", "row"), ROWS, ids=[f"{kind}-{n}" for n, (kind, _, _) in enumerate(ROWS)]
)
def test_an_example(kind, parameters, row):
    how = KINDS[kind]
    facts = Facts.model_validate({**ACT, **row["facts"]})
    moment = moment_of(facts, Step(row.get("step", "PLAN")))
    outcome = how.judge(how.parameters.model_validate_json(json.dumps(parameters)), facts, moment)
    assert outcome.satisfied is row.get("met")
    assert list(outcome.missing) == row.get("missing", [])
    assert outcome.en
    assert outcome.zh


@pytest.mark.parametrize("kind", [kind for kind, how in KINDS.items() if how.judge])
def test_each_kind_has_examples_of_both(kind):
    found = [row.get("met") for name, _, row in ROWS if name == kind]
    assert True in found
    assert False in found
