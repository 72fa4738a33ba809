"""Whatever is done to an export, `doorstep trail verify-export` and the bare `verify.py` name it and end with 1; and
they say the same."""

import base64
import io
import json
import operator
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.dev.go import run_go
from deploy.dev.processes import ServerMissing
from services.audit.export.domain import Subject
from services.audit.export.outside import verify
from services.audit.export.package import Package
from services.audit.settings import AuditSettings
from services.audit.trail.checkpoints import signer_of
from services.audit.trail.note import Signer
from services.cli.main import app
from shared import keys
from tests.audit.exports import CASE, LENDER, first_events, growing_trail, members, paid, read, signed_anew
from tests.searches import search
from tests.servers import missing

SCRIPT = Path(verify.__file__)
BARE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"
ACCESS_CHECKPOINT, CHECKPOINT = "logs/access/checkpoint", f"logs/{LENDER}/checkpoint"


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


def repacked(export, change):
    """The export's members, changed, in a ZIP file that another program wrote: nothing is signed anew."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # a doubled name is what we are after
        for name, data in members(export).items():
            archive.writestr(plain(name), data)
        change(archive)
    return file.getvalue()


def plain(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o100644 << 16
    return info


def link(archive):
    info = plain("latest")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def bomb(archive):
    archive.writestr(plain("bomb"), bytes(100 * 1024 * 1024), zipfile.ZIP_DEFLATED)


def lying_size(export):
    """A member that claims to hold 3 GB, which the file has not."""
    at = export.rindex(b"PK\1\2")
    return export[: at + 20] + struct.pack("<2L", 3 << 30, 3 << 30) + export[at + 28 :]


def overlapping(export):
    """Two names for the same bytes, as in bombs that overlap."""
    at = export.rindex(b"PK\1\2")
    end = export.rindex(b"PK\5\6")
    record = export[at:end].replace(b"manifest.note", b"manifest.copy")
    count, size, start = struct.unpack("<H2L", export[end + 10 : end + 20])
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count + 1, count + 1, size + len(record), start, 0)
    return export[:end] + record + tail


def parts(export):
    """The members as they lie in the file, the records of the directory, and the numbers of the end."""
    end = export.rindex(b"PK\5\6")
    count, _, start = struct.unpack("<H2L", export[end + 10 : end + 20])
    return export[:start], export[start:end], count


def joined(locals_, directory, count):
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(locals_), 0)
    return locals_ + directory + tail


def local(name, data):
    crc = zlib.crc32(data)
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, len(data), len(data), len(name), 0) + name + data


def hidden_local(export):
    """A second report that programs find which read local records; the directory does not list it."""
    members_, directory, count = parts(export)
    return joined(members_ + local(b"report.en.html", b"<h1>All is paid</h1>"), directory, count)


def moved(directory, first, by):
    """The directory with every offset from `first` on moved."""
    found, at = bytearray(directory), 0
    while at < len(found):
        name, extra, comment = struct.unpack("<3H", found[at + 28 : at + 34])
        [offset] = struct.unpack("<L", found[at + 42 : at + 46])
        if offset >= first:
            found[at + 42 : at + 46] = struct.pack("<L", offset + by)
        at += 46 + name + extra + comment
    return bytes(found)


def between(export):
    members_, directory, count = parts(export)
    at = members_.index(b"PK\3\4", 4)
    return joined(members_[:at] + b"\0" * 9 + members_[at:], moved(directory, at, 9), count)


def behind(export):
    members_, directory, count = parts(export)
    return joined(members_ + b"a letter", directory, count)


def member_comment(export):
    members_, directory, count = parts(export)
    at = directory.rindex(b"PK\1\2")
    record = directory[at : at + 32] + struct.pack("<H", 5) + directory[at + 34 :] + b"trust"
    return joined(members_, directory[:at] + record, count)


def extra_field(export):
    members_, directory, count = parts(export)
    at = directory.rindex(b"PK\1\2")
    record = directory[at : at + 30] + struct.pack("<H", 4) + directory[at + 32 :] + b"UT\0\0"
    return joined(members_, directory[:at] + record, count)


def other_day(export):
    members_, directory, count = parts(export)
    at = directory.rindex(b"PK\1\2")
    return joined(members_, directory[: at + 14] + struct.pack("<H", 34) + directory[at + 16 :], count)


UNSIGNED = {
    "no ZIP file": (lambda e: b"This is a letter.", "not-a-zip"),
    "nothing at all": (lambda e: b"", "not-a-zip"),
    "the end is cut off": (lambda e: e[:-1], "truncated"),
    "the second half is cut off": (lambda e: e[: len(e) // 2], "truncated"),
    "something behind the end": (lambda e: e + b"\0", "truncated"),
    "something before the begin": (lambda e: b"#!/bin/sh\n" + e, "not-a-zip"),
    "a comment": (lambda e: repacked(e, lambda z: setattr(z, "comment", b"trust me")), "truncated"),
    "a doubled name": (lambda e: repacked(e, lambda z: z.writestr(plain("vkey"), b"another")), "doubled"),
    "a path that climbs": (lambda e: repacked(e, lambda z: z.writestr(plain("../../evil"), b"")), "path-unsafe"),
    "an absolute path": (lambda e: repacked(e, lambda z: z.writestr(plain("/etc/passwd"), b"")), "path-unsafe"),
    "a path of Windows": (lambda e: repacked(e, lambda z: z.writestr(plain("C:/evil"), b"")), "path-unsafe"),
    "a path that climbs backwards": (
        lambda e: repacked(e, lambda z: z.writestr(plain("a\\..\\b"), b"")),
        "path-unsafe",
    ),
    "a name beyond ASCII": (lambda e: repacked(e, lambda z: z.writestr(plain("證明"), b"")), "path-unsafe"),
    "a folder": (lambda e: repacked(e, lambda z: z.writestr(plain("folder/"), b"")), "path-unsafe"),
    "a symbolic link": (lambda e: repacked(e, link), "link"),
    "a member of 100 MB that swells": (lambda e: repacked(e, bomb), "too-large"),
    "a member that claims 3 GB": (lying_size, "too-large"),
    "a compressed member": (
        lambda e: repacked(e, lambda z: z.writestr(plain("small"), b"0" * 99, zipfile.ZIP_DEFLATED)),
        "compressed",
    ),
    "two names for the same bytes": (overlapping, "container"),
    "a record in the directory that no program lists": (hidden_local, "container"),
    "bytes between two members": (between, "container"),
    "bytes behind the last member": (behind, "container"),
    "a comment on a member": (member_comment, "container"),
    "an extra field on a member": (extra_field, "container"),
    "a member of another day": (other_day, "container"),
    "a file that is not listed": (lambda e: repacked(e, lambda z: z.writestr(plain("extra"), b"")), "unlisted"),
}


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


def replace(path, old, new):
    def change(files):
        assert old in files[path]
        files[path] = files[path].replace(old, new, 1)

    return change


def set_checkpoint(note):
    """Another note as the log's checkpoint, in its proofs, too."""

    def change(files):
        before, files[CHECKPOINT] = files[CHECKPOINT], note(files)
        for path in files:
            if path.startswith(f"logs/{LENDER}/proofs/"):
                files[path] = files[path].replace(before, files[CHECKPOINT])

    return change


def twice(files):
    text, _, line = files[CHECKPOINT].rpartition(b"\n\n")
    return text + b"\n\n" + line + line


def swap_proofs(files):
    first, second = [path for path in files if path.startswith(f"logs/{LENDER}/proofs/")][:2]
    files[first], files[second] = files[second], files[first]


def entries(files):
    return [path for path in files if path.startswith(f"logs/{LENDER}/entries/")]


def drop_entry(number):
    def change(files):
        path = entries(files)[number]
        del files[path], files[path.replace("entries", "proofs").replace(".json", ".tlog-proof")]
        document = json.loads(files["manifest.json"])
        for log in document["logs"]:
            log["entries"] -= log["log"] == LENDER
        files["manifest.json"] = json.dumps(document).encode()

    return change


def edit_manifest(edit):
    def change(files):
        document = json.loads(files["manifest.json"])
        edit(document)
        files["manifest.json"] = json.dumps(document).encode()

    return change


def foreign_entry(files):
    """An entry of the log `access` among those of the lender."""
    files[entries(files)[0]] = next(data for path, data in files.items() if path.startswith("logs/access/entries/"))


def bend_hash(files):
    path = next(path for path in files if path.startswith(f"logs/{LENDER}/proofs/"))
    lines = files[path].split(b"\n")
    lines[2] = base64.b64encode(bytes(32))
    files[path] = b"\n".join(lines)


SIGNED = {
    "a checkpoint of another log": (lambda m: set_checkpoint(lambda files: files[ACCESS_CHECKPOINT]), "other-log"),
    "an older checkpoint": (lambda m: set_checkpoint(lambda files: members(m[1])[CHECKPOINT]), "other-log"),
    "a second signature line by our key": (lambda m: set_checkpoint(twice), "signature-bad"),
    "a malformed signature line": (
        lambda m: set_checkpoint(lambda files: files[CHECKPOINT] + b"- x y\n"),
        "note-malformed",
    ),
    "a note without signatures": (
        lambda m: set_checkpoint(lambda f: f[CHECKPOINT].partition(b"\n\n")[0]),
        "note-malformed",
    ),
    "a checkpoint with another size": (
        lambda m: set_checkpoint(lambda f: f[CHECKPOINT].replace(b"\n1", b"\n2", 1)),
        "signature-bad",
    ),
    "proofs of other indexes": (lambda m: swap_proofs, "proof-wrong"),
    "a proof with one other hash": (lambda m: bend_hash, "proof-wrong"),
    "an entry with one other letter": (lambda m: lambda f: replace(entries(f)[1], b"TWD", b"USD")(f), "proof-wrong"),
    "an entry of another log": (lambda m: foreign_entry, "proof-wrong"),
    "the first entry left out": (lambda m: drop_entry(0), "subject-gap"),
    "an entry in the middle left out": (lambda m: drop_entry(2), "subject-gap"),
    "the last entry left out": (lambda m: drop_entry(-1), "subject-gap"),
    "an entry without its proof": (
        lambda m: lambda f: f.pop(entries(f)[0].replace("entries", "proofs").replace(".json", ".tlog-proof")),
        "missing",
    ),
    "a proof without its entry": (lambda m: lambda f: f.pop(entries(f)[0]), "missing"),
    "counts of an older size": (
        lambda m: lambda f: f.update({f"logs/{LENDER}/subjects.note": members(m[1])[f"logs/{LENDER}/subjects.note"]}),
        "other-log",
    ),
    "counts of another log": (
        lambda m: lambda f: f.update({f"logs/{LENDER}/subjects.note": f["logs/access/subjects.note"]}),
        "other-log",
    ),
    "a checkpoint in place of the counts": (
        lambda m: lambda f: f.update({f"logs/{LENDER}/subjects.note": f[CHECKPOINT]}),
        "note-malformed",
    ),
    "no checkpoint": (lambda m: lambda f: f.pop(CHECKPOINT), "missing"),
    "a further subject": (
        lambda m: edit_manifest(lambda d: d["subjects"].append("case:01990000-0000-7000-8000-000000000009")),
        "subject-gap",
    ),
    "a question that the subjects do not answer": (
        lambda m: edit_manifest(lambda d: d.update(query={"case": "01990000-0000-7000-8000-000000000009"})),
        "question-unanswered",
    ),
    "a manifest of another shape": (lambda m: edit_manifest(lambda d: d.update(logs=[1])), "malformed"),
    "no logs in the manifest": (lambda m: edit_manifest(lambda d: d.update(logs=[])), "question-unanswered"),
    "one of the logs kept back": (lambda m: edit_manifest(lambda d: d["logs"].pop(0)), "unlisted"),
    "a time of making that is none": (lambda m: edit_manifest(lambda d: d.update(made_at="now")), "malformed"),
    "a time of making in other digits": (
        lambda m: edit_manifest(lambda d: d.update(made_at=f"\u0662{d['made_at'][1:]}")),
        "malformed",
    ),
    "an entry where none belongs": (
        lambda m: lambda f: f.update({f"logs/{LENDER}/entries/x/1.json": b"{}"}),
        "unlisted",
    ),
}


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
