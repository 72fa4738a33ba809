"""Whoever changes the trail with all rights over its database is found, by index and kind, on both databases."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.audit.attestations.checkpoints import verifier_of
from services.audit.settings import AuditSettings
from services.audit.verification.copies import copies_to_check
from services.audit.verification.verify import verify
from services.cli.demo.systems import doorstep
from tests.tamper import trails
from tests.tamper.forgeries import OPERATOR, forgeries
from tests.tamper.stores import TABLES
from tests.tamper.ways import LOG

FORGER = Path(trails.__file__).with_name("random_forger.py")
# The names do not depend on the trail; its sizes do.
NOTES = {"lender-1": {1: "", 2: ""}, "operator": {1: ""}}
NAMES = [forgery.name for forgery in forgeries(0, 0, "", NOTES)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made(request, tmp_path_factory):
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    return trails.build(tmp_path_factory.mktemp("tamper"), postgres)


@pytest.fixture
def copy_of(made, request):
    copies = []

    def take(name):
        copies.append(made.copy(name, f"copy_{abs(hash((request.node.name, name))):x}"))
        return copies[-1]

    yield take
    for each in copies:
        each.drop()


def verify_here(copy, against=()):
    """What the command says, without starting a process: a hundred of them would take minutes."""
    settings = AuditSettings(database_url=copy.url, keys_dir=copy.keys, checkpoint_dir=copy.copies)
    copies = copies_to_check(settings)
    copies["against"] = [*copies["against"], *against]
    found = asyncio.run(verify(copy.url, verifiers=[verifier_of(settings)], origin=settings.trail_origin, **copies))
    return {log.log: [(problem.index, problem.kind) for problem in log.problems] for log in found.logs}


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_forgery_is_named(made, copy_of, number):
    forgery = forgeries(made.size, made.backup, made.older, made.notes)[number]
    copy = copy_of(forgery.on)
    copy.tamper(forgery.do)
    forgery.copies(copy.copies)
    found = verify_here(copy, [made.kept.read_text()] if forgery.against else ())
    named = found.pop(forgery.log)
    assert named[0][0] == forgery.index
    assert (forgery.index, forgery.kind) in named
    if forgery.also:
        assert forgery.also in {kind for _, kind in found.pop(OPERATOR)}
    if forgery.log == LOG:
        follows = {forgery.kind} if forgery.kind == "source-missing" else set()  # a position is that of many logs
        assert not {kind for named in found.values() for _, kind in named} - follows
    if forgery.against:
        assert not any(verify_here(copy).values())  # by itself it is whole


def test_the_head_of_an_aggregate_without_entries_is_named_in_the_log_of_what_belongs_to_none(made, copy_of):
    copy = copy_of("trail")
    copy.tamper(lambda store: store.run("INSERT INTO aggregate_head (aggregate_id, version) VALUES ('cases:x', 1)"))
    assert verify_here(copy) == {"lender-1": [], "lender-2": [], "operator": [(1, "projection-differs")]}


def test_a_trail_of_which_only_heads_of_aggregates_are_left_is_no_verified_trail(made, copy_of):
    copy = copy_of("trail")
    copy.tamper(lambda store: [store.run(f"DELETE FROM {table}") for table in TABLES if table != "aggregate_head"])
    shutil.rmtree(copy.copies)
    copy.copies.mkdir()
    assert verify_here(copy) == {"operator": [(0, "projection-differs"), (0, "source-missing")]}


def test_an_untouched_trail_verifies(made, copy_of):
    copy = copy_of("trail")
    copy.tamper(lambda store: None)
    assert verify_here(copy, [made.kept.read_text()]) == {"lender-1": [], "lender-2": [], "operator": []}


@pytest.mark.parametrize("seed", range(20))
def test_what_a_stranger_draws_is_found(made, copy_of, seed):
    """A script that knows nothing of the project does something at random, and says where."""
    copy = copy_of("trail")
    command = [sys.executable, str(FORGER), copy.plain, str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    forged = json.loads(done.stdout)
    found = verify_here(copy)
    first, _kind = found.pop(forged["log"])[0]
    assert forged["first"] <= first <= forged["last"]
    assert not any(found.values())


@pytest.mark.slow
def test_the_command_says_so(made, copy_of):
    copy = copy_of("trail")
    done = copy.verify("--against", str(made.kept))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"]
    copy.tamper(forgeries(made.size, made.backup, made.older, made.notes)[0].do)
    done = copy.verify("--processes", "2")
    said = json.loads(done.stdout)
    assert (done.returncode, said["ok"]) == (1, False)
    [log] = [log for log in said["logs"] if log["problems"]]
    assert (log["log"], log["size"], log["checkpoint_size"]) == (LOG, made.size, made.size)
    assert {"index": 100, "kind": "leaf-altered"}.items() <= log["problems"][0].items()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--data", "{folder}/nowhere"], 3, "There is no audit.sqlite3 in"),
        (["--data", "{folder}", "--against", "{folder}/nowhere"], 2, "no checkpoint can be read there"),
        (["--data", "{folder}", "--processes", "0"], 2, "--processes"),
    ],
)
def test_wrong_use_says_what_is_right(tmp_path, arguments, status, said):
    """No trail is not a verified trail."""
    command = doorstep("trail", "verify", *(part.format(folder=tmp_path) for part in arguments))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert said in " ".join(done.stderr.split())
