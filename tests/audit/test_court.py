"""The page of what a court asks names only what is there; and who opens personal data says so in the trail."""

import ast
from pathlib import Path

import pytest

from docs import court
from services.audit.app import create_app
from services.audit.settings import AuditSettings
from services.audit.trail.entries import OWN_TYPES
from services.audit.worker import SERVICE
from shared.events.registry import EVENTS
from shared.runtime import Runtime

ROOT = Path(__file__).parents[2]
# Functions of cases that give out personal data in the clear; whoever calls them from a route records the reading.
OPENERS = {"open_identity", "open_positions", "find_debtors"}
# Where sealed bytes are opened at all: each place with the reason why nobody reads them there unrecorded.
OPENING = {
    "services/cases/holds/queries.py": "why a hold was released: a colleague's words, for those who release holds",
    "shared/approval_rows.py": "why something was asked, approved or refused, for those who may ask or decide",
    "services/cases/debtors/usecases.py": "reached by the openers only",
    "services/cases/placements/usecases.py": "the worker takes in the lender's file",
    "services/visits/people/sealed.py": "names and history of staff, for the desk and compliance; not of a debtor",
    "services/visits/plans/plan_basis.py": "positions of a plan; cases recorded this reading for the planner",
    "services/visits/visit/sealed.py": "a check-in is measured, a record compared: no words come out",
    "shared/idempotency.py": "a caller gets the own reply again",
    "shared/database.py": "a transaction gets its vault",
    "shared/keyring.py": "a master key opens the key of a subject, nothing else",
    "shared/sealing.py": "the sealer itself",
    "shared/vault.py": "the vault itself",
}


def test_every_criterion_of_the_page_is_one_of_the_search(tmp_path):
    app = create_app(Runtime(SERVICE, AuditSettings(data_dir=tmp_path)))
    parameters = app.openapi()["paths"]["/audit/v1/entries"]["get"]["parameters"]
    known = {each["name"] for each in parameters}
    assert {each for question in court.QUESTIONS for each in question.search} <= known


def test_every_event_is_named_on_the_page_and_so_is_what_the_trail_writes_itself():
    page = court.page()
    assert all(wire_type in page or event.__name__ in page for wire_type, event in EVENTS.items())
    assert all(f"`{each}`" in page for each in OWN_TYPES)


def test_a_field_that_is_gone_stops_the_page(monkeypatch):
    wrong = court.Question("?", "？", (), {"CaseOpened": ("debtor_name",)})
    monkeypatch.setattr(court, "QUESTIONS", (wrong,))
    with pytest.raises(ValueError, match="debtor_name"):
        court.page()


def calls_in(node):
    names = [call.func for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {getattr(name, "attr", getattr(name, "id", "")) for name in names}


def functions_of(path):
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_whoever_opens_personal_data_records_the_reading():
    found = []
    for path in sorted(ROOT.glob("services/*/*/*.py")):
        for function in functions_of(path):
            if calls_in(function) & OPENERS and function.name not in OPENERS:
                found.append(f"{path.parent.name}.{function.name}")
                assert "record_reading" in calls_in(function), found[-1]
    assert {"dossiers.read_dossier", "debtors.read_locations"} <= set(found)


def test_nothing_sealed_is_opened_anywhere_else():
    opening = set()
    for path in [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and "open" in call.func.attr:
                owner = ast.unparse(call.func.value)
                sealer = any(word in owner for word in ("master", "seal", "key", "subject", "self", "before"))
                if "vault" in owner or (call.func.attr == "open" and sealer and len(call.args) == 2):
                    opening.add(path.relative_to(ROOT).as_posix())
    strange = opening - OPENING.keys()
    assert not strange, f"{strange} opens sealed data: record who reads it, then name the place and the reason here"
