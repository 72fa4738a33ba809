"""Whatever is done to an export, `doorstep trail verify-export` and the bare `verify.py` name it and end with 1; and
they say the same."""

import io
import json
import operator
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.dev.go import run_go
from deploy.dev.processes import ServerMissing
from services.audit.attestations.checkpoints import signer_of
from services.audit.export.domain import Subject
from services.audit.export.outside import verify
from services.audit.export.package import Package
from services.audit.settings import AuditSettings
from services.audit.tlog.note import Signer
from services.cli.main import app
from shared import keys
from tests.audit.exports import CASE, first_events, growing_trail, members, paid, read, signed_anew
from tests.audit.forged_packages import CHECKPOINT, SIGNED, UNSIGNED, set_checkpoint
from tests.searches import search
from tests.servers import missing

SCRIPT = Path(verify.__file__)
BARE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An export, a later one of the same case, and the settings whose key signed both."""
    import asyncio

    kept = AuditSettings(data_dir=tmp_path_factory.mktemp("trail"))

    async def make():
        async with growing_trail(kept) as trail:
            await trail.take(*first_events(payments=4))
            early = await trail.export(Subject("case", CASE))
            await trail.take(paid(CASE, 6), paid(CASE, 7), paid(CASE, 8), read(CASE))
            return early, await trail.export(Subject("case", CASE))

    early, export = asyncio.run(make())
    return export, early, kept


def bare(path, *more):
    """verify.py in a folder of its own, with nothing in the environment and no project to import."""
    command = ["env", "-i", str(BARE_PYTHON), "-I", str(path.parent / "verify.py"), str(path), *more]
    (path.parent / "verify.py").write_bytes(SCRIPT.read_bytes())
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)


def ours(path, *more):
    done = CliRunner().invoke(app, ["trail", "verify-export", str(path), "--json", *more])
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture(scope="module")
def go(tmp_path_factory):
    """The Go program that an export carries, built; None where Go is not there, or its modules cannot be fetched."""
    program = tmp_path_factory.mktemp("go") / "verify"
    try:
        done = run_go("build", "-o", str(program), ".", cwd=SCRIPT.with_name("go"))
    except ServerMissing as error:
        missing(error)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.slow
def test_the_go_program_refuses_every_one_of_them_by_the_same_word(made, go, tmp_path):
    forged = {name: (forge(made[0]), kind) for name, (forge, kind) in UNSIGNED.items()}
    forged |= {name: (signed_anew(made[0], made[2], change(made)), kind) for name, (change, kind) in SIGNED.items()}
    forged["a line by another key under our own statement"] = (foreign_line(made[0], tmp_path), "note-malformed")
    path = tmp_path / "forged.zip"
    for name, (data, kind) in forged.items():
        path.write_bytes(data)
        done = subprocess.run([go, path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, ""), name
        assert done.stdout.splitlines()[-1].endswith(f"({kind})"), (name, done.stdout)
    path.write_bytes(made[0])
    done = subprocess.run([go, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"case:{CASE} 8 of 8" in done.stdout
    assert "made at 2" in done.stdout


@pytest.mark.slow
def test_the_go_program_finds_one_changed_byte_anywhere(made, go, tmp_path):
    path = tmp_path / "forged.zip"
    for at in range(0, len(made[0]), len(made[0]) // 97):
        path.write_bytes(made[0][:at] + bytes([made[0][at] ^ 1]) + made[0][at + 1 :])
        done = subprocess.run([go, path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, ""), (at, done.stdout)


@pytest.mark.parametrize("name", UNSIGNED)
def test_a_file_that_somebody_without_the_key_changed(made, tmp_path, name):
    forge, kind = UNSIGNED[name]
    assert_named(tmp_path, forge(made[0]), kind)


@pytest.mark.parametrize("name", SIGNED)
def test_a_file_that_somebody_with_the_key_signed_anew(made, tmp_path, name):
    change, kind = SIGNED[name]
    assert_named(tmp_path, signed_anew(made[0], made[2], change(made)), kind)


def assert_named(folder, forged, kind):
    path = folder / "export.zip"
    path.write_bytes(forged)
    status, found = ours(path)
    assert (status, found["ok"], found["problem"] and found["problem"]["kind"]) == (1, False, kind), found
    done = bare(path)
    line = f"WRONG ({kind}) {found['problem']['place']}: {found['problem']['detail']}"
    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (1, line, "")


def test_an_untouched_one_holds_where_there_is_no_project(made, tmp_path):
    export, _, kept = made
    path = tmp_path / "export.zip"
    path.write_bytes(export)
    key = signer_of(kept).verifier.vkey
    project = subprocess.run(
        ["env", "-i", BARE_PYTHON, "-I", "-c", "import services"], capture_output=True, check=False
    )
    assert b"No module named 'services'" in project.stderr
    (tmp_path / "key").write_text(key + "\n")
    for named in (key, str(tmp_path / "key")):
        done = bare(path, "--vkey", named)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"case:{CASE}: 8 of 8 entries, none missing in between." in done.stdout
        assert "NOTE" not in done.stdout
        status, found = ours(path, "--vkey", named)
        assert (status, found["ok"], found["notes"]) == (0, True, [])
        assert done.stdout.splitlines()[:-1] == found["checked"]
    assert "The key came with the file. Compare it" in bare(path).stdout
    assert bare(tmp_path / "nothing.zip").returncode == 2
    assert CliRunner().invoke(app, ["trail", "verify-export", str(tmp_path / "nothing.zip")]).exit_code == 3


def test_another_key_is_not_ours(made, tmp_path):
    """Somebody else's export is whole in itself; held to the key that we publish, it is nothing."""
    export, _, kept = made
    stranger = Signer(
        kept.trail_origin, keys.private_key(None, settings=AuditSettings(data_dir=tmp_path), name="trail")
    )
    path = tmp_path / "export.zip"
    path.write_bytes(export)
    done = bare(path, "--vkey", stranger.verifier.vkey)
    assert (done.returncode, done.stdout.split()[1]) == (1, "(other-key)")
    done = bare(path, "--vkey", "doorstep+00000000+nonsense")
    assert (done.returncode, done.stdout.split()[1]) == (1, "(key-malformed)")


def test_a_line_by_an_unknown_key_is_no_fault_of_a_checkpoint(made, tmp_path):
    """C2SP signed-note: signatures of unknown keys are ignored, so that witnesses may add theirs."""
    stranger = Signer("witness.example", keys.private_key(None, settings=AuditSettings(data_dir=tmp_path), name="x"))

    def cosigned(files):
        text = files[CHECKPOINT].decode().partition("\n\n")[0] + "\n"
        return files[CHECKPOINT] + (stranger.line(text) + "\n").encode()

    path = tmp_path / "export.zip"
    path.write_bytes(signed_anew(made[0], made[2], set_checkpoint(cosigned)))
    assert bare(path).returncode == 0
    assert ours(path)[0] == 0


def foreign_line(export, folder):
    """The manifest's statement with a further line, by an unknown key."""
    stranger = Signer("witness.example", keys.private_key(None, settings=AuditSettings(data_dir=folder), name="x"))
    files = members(export)
    text = files["manifest.note"].decode().partition("\n\n")[0] + "\n"
    line = (stranger.line(text) + "\n").encode()
    return repacked_with(export, "manifest.note", files["manifest.note"] + line)


def test_our_statements_bear_our_signature_only(made, tmp_path):
    assert_named(tmp_path, foreign_line(made[0], tmp_path), "note-malformed")


def repacked_with(export, name, data):
    """The export with one member's bytes replaced, in our own form of ZIP file."""
    file = io.BytesIO()
    package = Package(file)
    for path, before in members(export).items():
        package._write(path, data if path == name else before)
    package._zip.close()
    return file.getvalue()


def fails(forged):
    with pytest.raises(verify.Wrong):
        verify.check(io.BytesIO(forged))


def test_one_changed_byte_of_any_member_is_found(made):
    """The first, the middle and the last byte of every member, its check sum in the ZIP file set right."""
    for name, data in members(made[0]).items():
        for place in {0, len(data) // 2, len(data) - 1}:
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            fails(repacked_with(made[0], name, changed))


@search(50, 3000)
@given(data=st.data())
def test_one_changed_byte_anywhere_in_the_file_is_found(made, data):
    export = made[0]
    place = data.draw(st.integers(0, len(export) - 1))
    bit = data.draw(st.integers(0, 7))
    fails(export[:place] + bytes([export[place] ^ 1 << bit]) + export[place + 1 :])


@search(25, 1000)
@given(data=st.data())
def test_a_cut_anywhere_is_found(made, data):
    fails(made[0][: data.draw(st.integers(0, len(made[0]) - 1))])


@search(33, 2000)
@given(junk=st.binary(max_size=300))
def test_junk_is_named_never_a_crash(junk):
    fails(junk)
    fails(b"PK\3\4" + junk + b"PK\5\6" + junk[:18].ljust(18, b"\0"))


JUNK = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2), st.just({"a": 1}))


@search(25, 1500)
@given(data=st.data())
def test_a_manifest_of_any_shape_is_named_never_a_crash(made, data):
    """One value somewhere in the manifest is junk, and the whole is signed again without a flaw."""

    def change(document):
        place = document
        while True:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
                place[key] = data.draw(JUNK.filter(partial(operator.ne, inner)))
                return
            place = inner

    forged = signed_anew(made[0], made[2], lambda files: remade(files, change))
    fails(forged)


def remade(files, change):
    document = json.loads(files["manifest.json"])
    del document["files"], document["format"]  # which signing sets right again
    change(document)
    files["manifest.json"] = json.dumps(document).encode()
