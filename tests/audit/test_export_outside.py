"""An officer exports a case over HTTP; an auditor without an account, and without our code, checks it: with verify.py
in an empty environment, with Go's own transparency log, and the whole log with Tessera's fsck."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.dev.go import go_program, run_go
from deploy.dev.processes import ServerMissing
from services.audit.tlog.tiles import entries_path, tile_path
from services.cli.main import app
from shared.auth import Role
from shared.ids import new_id
from tests.actors.samples import MONDAY, RECORD, at, row
from tests.audit.exports import members
from tests.house import arrive, running_house
from tests.servers import missing

FSCK = ("github.com/transparency-dev/tessera/cmd/fsck", "v1.0.4")
BARE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"
ROWS = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with running_house(tmp_path_factory.mktemp("export") / "data", at(MONDAY, 9)) as running:
        yield running


@pytest.fixture(scope="module")
def story(house):
    """A lender with more than a tile of entries, and one of its cases, visited. Returns lender, case and visit."""
    lender = house.lender()
    lender.place(*(row(f"A-{n}", lat=f"25.{n:03}") for n in range(1, ROWS)))
    cases = list(lender.cases().values())
    house.verify_addresses(cases[:2])
    house.quiet()
    team = house.team()
    visit = next(each for each in house.visits_of(house.plan(MONDAY, team)) if each["case_id"] == cases[0]["id"])
    house.move_clock(at(MONDAY, 10))
    path = arrive(house, team, visit)
    team.collectors[0].post(f"{path}/complete", RECORD, key="once")
    house.supervisor.get(f"/cases/v1/cases/{cases[0]['id']}/dossier", reason="VISIT")
    house.quiet()
    return lender.id, cases[0]["id"], visit["id"]


def ready(house, export):
    """Poll an export until it is made."""
    for _ in range(600):
        found = house.officer.get(f"/audit/v1/exports/{export['id']}")
        if found["status"] != "REQUESTED":
            return found
        house.quiet()
    raise AssertionError("the export was not made")


@pytest.fixture(scope="module")
def package(house, story, tmp_path_factory):
    """The export of the case, as the officer fetched it over HTTP: its file and what the API says of it."""
    ordered = house.officer.ask("POST", "/audit/v1/exports", 202, json={"case_id": story[1]})
    assert ordered.headers["Location"].endswith(ordered.json()["id"])
    export = ready(house, ordered.json())
    answer = house.officer.ask("GET", f"/audit/v1/exports/{export['id']}/file")
    assert answer.headers["content-type"] == "application/zip"
    assert len(answer.content) == export["file_bytes"]
    path = tmp_path_factory.mktemp("auditor") / "case.zip"
    path.write_bytes(answer.content)
    return path, export


def vkey_of(house):
    """As the deployment publishes it: not out of the export."""
    return house.officer.get("/audit/v1/logs")["items"][0]["vkey"]


def test_an_auditor_without_an_account_checks_it_with_python(house, story, package):
    path, export = package
    script = path.with_name("verify.py")
    script.write_bytes(members(path.read_bytes())["verify.py"])
    command = ["env", "-i", str(BARE_PYTHON), "-I", script.name, path.name, "--vkey", vkey_of(house)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    counts = {line.split()[1] for line in done.stdout.splitlines() if line.startswith(f"  case:{story[1]}: ")}
    in_log = house.officer.every("/audit/v1/entries", case_id=story[1], log=story[0])
    assert f"{len([e for e in in_log if e['index'] < export['sizes'][story[0]]])}" in counts
    assert export["manifest_digest"] in done.stdout


def test_it_tells_the_whole_story_and_names_nobody(story, package):
    files = members(package[0].read_bytes())
    leaves = [json.loads(data) for path, data in files.items() if "/entries/" in path]
    kinds = {leaf["type"].split(".")[2] for leaf in leaves}
    assert {"case-opened", "case-referred", "visit-completed", "promise-made", "dossier-read"} <= kinds
    assert {leaf["log"] for leaf in leaves} == {story[0], "access"}
    everything = b"".join(files.values()).decode()
    for personal in ("王小明", "王大明", "下週還一半", "25.001", 'A-1"'):
        assert personal not in everything


def test_the_trail_keeps_that_it_was_made_and_who_fetched_it(house, story, package):
    _, export = package
    house.quiet()
    entries = house.officer.every("/audit/v1/entries", type="doorstep.audit.export-created.v1")
    [made] = [entry for entry in entries if entry["leaf"]["data"]["export_id"] == export["id"]]
    assert (made["log"], made["leaf"]["data"]["manifest_digest"]) == (story[0], export["manifest_digest"])
    assert made["leaf"]["actor"] == {"kind": "compliance", "ref": "development-compliance"}
    entries = house.officer.every("/audit/v1/entries", type="doorstep.audit.export-fetched.v1", log="access")
    assert [e["leaf"]["data"]["case_id"] for e in entries if e["leaf"]["data"]["export_id"] == export["id"]] == [
        story[1]
    ]


def test_the_same_order_at_the_same_sizes_gives_the_same_file(house, story, package):
    _, export = package
    body = {"case_id": story[1], "as_of": export["sizes"]}
    key = str(new_id())
    again = house.officer.post("/audit/v1/exports", body, expect=202, key=key)
    assert house.officer.post("/audit/v1/exports", body, expect=202, key=key)["id"] == again["id"]
    again = ready(house, again)
    assert (again["file_sha256"], again["manifest_digest"]) == (export["file_sha256"], export["manifest_digest"])
    listed = [each["id"] for each in house.officer.every("/audit/v1/exports")]
    assert listed[:2] == [again["id"], export["id"]]


def test_orders_that_cannot_be_meant_are_problems(house, story, package):
    officer = house.officer
    nobody = str(new_id())
    for body, status, title in (
        ({}, 422, "export-of-what"),
        ({"case_id": story[1], "visit_id": story[2]}, 422, "export-of-what"),
        ({"case_id": nobody}, 404, "nothing-to-export"),
        ({"debtor_id": nobody}, 404, "nothing-to-export"),
        ({"log": story[0], "from": 5, "until": 5}, 422, "range-reversed"),
        ({"log": story[0], "from": 0, "until": 10**9}, 422, "range-too-long"),
        ({"log": story[0], "from": 9_000, "until": 9_001}, 422, "beyond-the-tree"),
        ({"log": "../../etc", "from": 0, "until": 1}, 422, "log-name"),
        ({"log": "nobody", "from": 0, "until": 1}, 404, "log-not-found"),
        ({"case_id": story[1], "as_of": {story[0]: 10**7}}, 422, "as-of"),
        ({"case_id": story[1], "from": 1}, 422, "export-of-what"),
        ({"case_id": "x"}, 422, "malformed"),
        ({"log": story[0], "from": -1, "until": 1}, 422, "malformed"),
        ({"case_id": story[1], "further": 1}, 422, "malformed"),
    ):
        assert officer.post("/audit/v1/exports", body, expect=status)["title"] == title
    officer.get(f"/audit/v1/exports/{nobody}", expect=404)
    officer.get(f"/audit/v1/exports/{nobody}/file", expect=404)
    for role, status in ((Role.SUPERVISOR, 403), (Role.COLLECTOR, 403), (Role.LENDER, 404)):
        stranger = house.caller(role, lender=story[0])
        stranger.post("/audit/v1/exports", {"case_id": story[1]}, expect=status)
        stranger.get(f"/audit/v1/exports/{package[1]['id']}/file", expect=status)


def test_an_officer_has_a_file_checked_over_http(house, package):
    content = package[0].read_bytes()
    path = "/audit/v1/exports/verifications"
    found = house.officer.ask("POST", path, content=content).json()
    assert (found["ok"], found["problem"], found["notes"]) == (True, None, [])
    assert any("none missing in between" in line for line in found["checked"])
    found = house.officer.ask("POST", path, content=content.replace(b"PROMISE_TO_PAY", b"REFUSED_TO_PAY", 1)).json()
    assert (found["ok"], found["problem"]["kind"]) == (False, "altered")
    assert house.officer.ask("POST", path, content=b"").json()["problem"]["kind"] == "not-a-zip"
    house.supervisor.ask("POST", path, 403, content=content)


def judged_by_go(path, *more):
    """What the Go program of the export says of it, run as VERIFY.md says."""
    folder = path.with_suffix(".unpacked")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    try:
        return run_go("run", ".", str(path), *more, cwd=folder / "go")
    except ServerMissing as error:
        missing(error)


def test_go_agrees_on_every_proof(house, story, package, tmp_path):
    path, export = package
    done = judged_by_go(path, vkey_of(house))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(members(path.read_bytes())) - 2} files are as listed" in done.stdout
    proven = sum(int(line.split()[-2]) for line in done.stdout.splitlines() if line.endswith("proven"))
    assert proven == export["entries"]
    assert f"case:{story[1]}" in done.stdout
    house.officer.post("/audit/v1/exports", {"debtor_id": debtor_of(house, story[1])}, expect=202)
    whole = house.officer.post("/audit/v1/exports", {"log": story[0], "from": 0, "until": 260}, expect=202)
    answer = house.officer.ask("GET", f"/audit/v1/exports/{ready(house, whole)['id']}/file")
    (tmp_path / "range.zip").write_bytes(answer.content)
    assert "260 proven" in judged_by_go(tmp_path / "range.zip").stdout


def debtor_of(house, case_id):
    [opened] = house.officer.every("/audit/v1/entries", case_id=case_id, type="doorstep.cases.case-opened.v1")
    return opened["leaf"]["data"]["debtor_id"]


def test_go_names_a_changed_byte(package, tmp_path):
    content = package[0].read_bytes()
    at_entry = content.index(b'"outcome":"')
    forged = tmp_path / "forged.zip"
    forged.write_bytes(content[:at_entry] + b"X" + content[at_entry + 1 :])
    with zipfile.ZipFile(package[0]) as archive:
        archive.extractall(forged.with_suffix(".unpacked"))
    done = run_go("run", ".", str(forged), cwd=forged.with_suffix(".unpacked") / "go")
    assert done.returncode == 1
    assert done.stdout.startswith("WRONG logs/")


def fsck(url, origin, vkey, folder, *more):
    """Whether Tessera's checker of logs finds nothing wrong, and what it says."""
    (folder / "key").write_text(vkey + "\n")
    try:
        program = go_program(*FSCK)
    except ServerMissing as error:
        missing(error)
    arguments = [f"--storage_url={url}", f"--origin={origin}", f"--public_key={folder / 'key'}", "--ui=false", "-v=1"]
    # It does not end by itself after it has found something, nor by its status: read what it says.
    words = []
    with subprocess.Popen([str(program), *arguments, *more], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            words.append(line)
            if "Invalid" in line or "failed" in line:
                process.kill()
    return process.returncode == 0 and any("Completed ranges" in line for line in words), "".join(words)


def test_tesseras_fsck_finds_our_logs_whole_over_http(house, story, tmp_path):
    for log in house.officer.get("/audit/v1/logs")["items"]:
        url = f"{house.url}/audit/v1/logs/{log['log']}/"
        bearer = f"--bearer_token={house.token(Role.COMPLIANCE)}"
        whole, words = fsck(url, log["origin"], log["vkey"], tmp_path, bearer)
        assert whole, words
    assert {log["log"]: log["size"] > 256 for log in house.officer.get("/audit/v1/logs")["items"]}[story[0]]


def test_tesseras_fsck_finds_a_forged_tile(house, story, tmp_path):
    """The same log as plain files; then one byte of one entry is another: fsck is not one that says yes to all."""
    [log] = [each for each in house.officer.get("/audit/v1/logs")["items"] if each["log"] == story[0]]
    root, base = tmp_path / "log", f"/audit/v1/logs/{story[0]}"
    note = house.officer.ask("GET", f"{base}/checkpoint").content
    size = int(note.split(b"\n")[1])
    full, rest = divmod(size, 256)
    paths = [make(n) for n in range(full) for make in (partial(tile_path, 0), entries_path)]
    paths += [tile_path(0, full, rest), entries_path(full, rest)] if rest else []
    paths += [tile_path(1, 0, full)]
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(house.officer.ask("GET", f"{base}/{path}").content)
    (root / "checkpoint").write_bytes(note)
    whole, words = fsck(f"file://{root}", log["origin"], log["vkey"], tmp_path)
    assert whole, words
    bundle = root / entries_path(0)
    bundle.write_bytes(bundle.read_bytes().replace(b"TWD", b"USD", 1))
    whole, words = fsck(f"file://{root}", log["origin"], log["vkey"], tmp_path)
    assert not whole, words


def trail(*arguments):
    return CliRunner().invoke(app, ["trail", *arguments])


def test_the_command_line_exports_from_a_stopped_system_and_the_trail_learns_of_it(tmp_path):
    """The folder's next start publishes what the command line left in audit's outbox."""
    data, target = tmp_path / "data", tmp_path / "case.zip"
    with running_house(data, at(MONDAY, 9)) as house:
        lender = house.lender()
        lender.place(row("A-1"), row("A-2"))
        house.quiet()
        case_id, vkey = lender.cases()["A-1"]["id"], vkey_of(house)
    command = ["export", "--case", case_id, "--out", str(target), "--data", str(data), "--json"]
    done = trail(*command)
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert sorted(os.listdir(tmp_path)) == ["case.zip", "data"]
    assert trail("verify-export", str(target), "--vkey", vkey).exit_code == 0
    assert trail(*command).exit_code == 2  # it is there already
    with closing(sqlite3.connect(data / "audit.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchall() == [(1,)]
    with running_house(data, at(MONDAY, 9)) as house:
        house.quiet()
        [entry] = house.officer.every("/audit/v1/entries", type="doorstep.audit.export-created.v1")
    assert entry["leaf"]["data"]["manifest_digest"] == made["manifest_digest"]
    assert entry["leaf"]["actor"] == {"kind": "operator", "ref": "command-line"}
    assert (entry["log"], entry["leaf"]["data"]["case_id"]) == (lender.id, case_id)


def test_wrong_use_of_the_command_line_is_told(tmp_path):
    for arguments, status, words in (
        (["--case", str(new_id())], 3, "--data"),
        ([], 2, "Name one thing"),
        (["--log", "lender-1"], 2, "until"),
        (["--case", "x"], 2, "UUID"),
    ):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        if status == 2:
            (tmp_path / "data").mkdir()
            (tmp_path / "data" / "audit.sqlite3").touch()
        done = trail("export", *arguments, "--out", str(tmp_path / "x.zip"), "--data", str(tmp_path / "data"))
        assert (done.exit_code, words in done.stderr) == (status, True), done.stderr
        assert not (tmp_path / "x.zip").exists()
