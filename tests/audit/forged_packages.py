"""Forged packages by name: what is done to an export, and the word by which it must be refused. Some need no key: the
ZIP file is bent by hand; the others are signed again, by the holder of the key, so that only what they say is wrong.
"""

import base64
import io
import json
import stat
import struct
import warnings
import zipfile
import zlib

from tests.audit.exports import LENDER, members

ACCESS_CHECKPOINT, CHECKPOINT = "logs/access/checkpoint", f"logs/{LENDER}/checkpoint"


def repacked(export, change):
    """The export's members, changed, in a ZIP file that another program wrote: nothing is signed again."""
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
