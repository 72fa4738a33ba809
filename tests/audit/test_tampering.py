"""Whoever changes a stored byte, as superuser of the database, is found by `doorstep trail verify`."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from tests.house import MONDAY, at, doorstep, row, running_house

MIDDLE = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    """The data folder of a stopped system whose lender's log has more than 256 entries, and the log's name."""
    data = tmp_path_factory.mktemp("trail") / "data"
    with running_house(data, at(MONDAY, 9)) as house:
        lender = house.lender()
        lender.place(*(row(f"A-{n}") for n in range(10)))
        house.quiet()
    shutil.copytree(data, data.parent / "backup")
    with running_house(data, at(MONDAY, 9)) as house:
        lender.caller.client = house.client
        lender.place(*(row(f"A-{n}") for n in range(10, 120)))
        house.quiet()
    return data, lender.id


def verify(data, *more):
    done = subprocess.run(
        doorstep("trail", "verify", "--data", str(data), "--json", *more), capture_output=True, text=True, check=False
    )
    return done.returncode, json.loads(done.stdout)


def forge(data, copy, *statements):
    """A copy of the folder in which somebody with all rights has run these statements."""
    shutil.copytree(data, copy)
    with closing(sqlite3.connect(copy / "audit.sqlite3")) as database:
        triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            assert database.execute(statement, values).rowcount
        database.commit()
    return copy


def test_an_untouched_trail_verifies(trail):
    data, lender = trail
    status, found = verify(data)
    assert (status, found["ok"]) == (0, True)
    assert {log["log"]: log["size"] > 256 for log in found["logs"]}[lender]


@pytest.mark.parametrize(
    ("kind", "statements"),
    [
        (
            "leaf-altered",
            ["UPDATE entry SET leaf = CAST(replace(leaf, '\"v\":1', '\"v\":2') AS BLOB) WHERE log_id = ? AND idx = ?"],
        ),
        ("projection-differs", ["UPDATE entry SET actor = 'somebody:else' WHERE log_id = ? AND idx = ?"]),
        ("entry-missing", ["DELETE FROM entry WHERE log_id = ? AND idx = ?"]),
    ],
)
def test_a_changed_entry_is_named(trail, tmp_path, kind, statements):
    data, lender = trail
    copy = forge(data, tmp_path / "copy", *((each, (lender, MIDDLE)) for each in statements))
    status, found = verify(copy)
    [log] = [log for log in found["logs"] if log["problems"]]
    first = log["problems"][0]
    assert (status, found["ok"]) == (1, False)
    assert (log["log"], first["index"], first["kind"]) == (lender, MIDDLE, kind)
    assert first["detail"]


def test_one_flipped_byte_is_enough(trail, tmp_path):
    data, lender = trail
    with closing(sqlite3.connect(data / "audit.sqlite3")) as database:
        [[leaf]] = database.execute("SELECT leaf FROM entry WHERE log_id = ? AND idx = ?", (lender, MIDDLE)).fetchall()
    for place in (0, len(leaf) // 2, len(leaf) - 2):
        flipped = leaf[:place] + bytes([leaf[place] ^ 1]) + leaf[place + 1 :]
        change = ("UPDATE entry SET leaf = ? WHERE log_id = ? AND idx = ?", (flipped, lender, MIDDLE))
        status, found = verify(forge(data, tmp_path / str(place), change))
        [log] = [log for log in found["logs"] if log["problems"]]
        assert (status, log["problems"][0]["index"]) == (1, MIDDLE)
        assert log["problems"][0]["kind"] == "leaf-altered"


def test_tiles_roots_and_tails_are_held_to_the_entries(trail, tmp_path):
    data, lender = trail
    cases = {
        "tile-differs": [
            ("UPDATE tile SET hashes = zeroblob(8192) WHERE log_id = ? AND level = 0 AND n = 0", (lender,))
        ],
        "root-differs": [("UPDATE head SET root = zeroblob(32) WHERE log_id = ?", (lender,))],
        "tail-cut": [
            ("DELETE FROM entry WHERE log_id = ? AND idx >= 300", (lender,)),
            ("UPDATE head SET size = 300 WHERE log_id = ?", (lender,)),
        ],
        "signature-bad": [("UPDATE checkpoint SET note = replace(note, '+', 'A') WHERE log_id = ?", (lender,))],
    }
    for kind, statements in cases.items():
        status, found = verify(forge(data, tmp_path / kind, *statements))
        kinds = {problem["kind"] for log in found["logs"] for problem in log["problems"]}
        assert status == 1
        assert kind in kinds, (kind, kinds)


def test_a_folder_restored_as_a_whole_is_found_by_a_checkpoint_kept_elsewhere(trail, tmp_path):
    data, lender = trail
    with closing(sqlite3.connect(data / "audit.sqlite3")) as database:
        query = "SELECT note FROM checkpoint WHERE log_id = ? ORDER BY size DESC LIMIT 1"
        [[note]] = database.execute(query, (lender,)).fetchall()
    kept = tmp_path / "kept"
    kept.write_text(note if isinstance(note, str) else note.decode())
    assert verify(data, "--against", str(kept))[0] == 0
    status, found = verify(data.parent / "backup", "--against", str(kept))
    problems = {log["log"]: log["problems"] for log in found["logs"]}
    assert status == 1
    assert [problem["kind"] for problem in problems.pop(lender)] == ["rolled-back"]
    assert not any(problems.values())
    assert verify(data.parent / "backup")[0] == 0  # by itself the old folder is whole


def test_no_trail_is_not_a_verified_trail(tmp_path):
    done = subprocess.run(doorstep("trail", "verify", "--data", str(tmp_path)), capture_output=True, check=False)
    assert done.returncode == 3
    assert b"--data" in done.stderr
