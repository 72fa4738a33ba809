#!/usr/bin/env python3
"""Checks an export of a Doorstep evidence trail, without Doorstep: Python 3.8 or newer and its standard library only.

    python3 verify.py EXPORT.zip --vkey KEY

It is one file on purpose: it travels in each export, and those who check one read and run it alone. Its one rule:
nothing in the file is believed before a signature or a hash has shown it. The first thing that is wrong is named, and
the exit status is 1; with 0, everything that the output lists was checked and holds.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

EXPORT, SUBJECTS, PROOF = "doorstep-export/v1", "doorstep-subjects/v1", "c2sp.org/tlog-proof@v1"
MANIFEST, MANIFEST_NOTE, VKEY = "manifest.json", "manifest.note", "vkey"
MEMBERS_MAX = 65_000
MEMBER_BYTES_MAX = 64 * 1024 * 1024
ENTRY_BYTES_MAX = 65_535
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
GAP_VERSIONS_MAX = 1_000
OF_LOG, OF_WITNESS = 1, 4
YEAR_9999 = 253_402_300_799
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class Wrong(Exception):
    """What is wrong: a stable word for it, the place, and a sentence."""

    def __init__(self, kind: str, place: str, detail: str) -> None:
        super().__init__(f"{place}: {detail}")
        self.kind, self.place, self.detail = kind, place, detail


# ---------------------------------------------------------------- Ed25519 (RFC 8032, section 5.1)
# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z. Only public data is handled, so time does not matter.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_NEUTRAL = (0, 1, 1, 0)


def _add(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    m = (a[1] - a[0]) * (b[1] - b[0]) % _P
    n = (a[1] + a[0]) * (b[1] + b[0]) % _P
    c, d = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    found = _NEUTRAL
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point = _add(point, point)
        scalar >>= 1
    return found


def _point(data: bytes) -> tuple[int, int, int, int] | None:
    """The point of 32 bytes; None where there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _bytes_of(point: tuple[int, int, int, int]) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little")) or _NEUTRAL


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the 64 bytes are this key's signature of the message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, s = _point(public_key), int.from_bytes(signature[32:], "little")
    if key is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _L
    minus_key = (_P - key[0], key[1], key[2], _P - key[3])
    return _bytes_of(_add(_times(s, _BASE), _times(k, minus_key))) == signature[:32]


# ---------------------------------------------------------------- signed notes (C2SP signed-note, tlog-checkpoint)


class Key(NamedTuple):
    """A verifier key: its name, its id of 4 bytes, and the Ed25519 key."""

    name: str
    key_id: bytes
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str, place: str, kind: int = OF_LOG) -> Key:
        found = re.fullmatch(r"([^+\s]+)\+([0-9a-f]{8})\+(\S+)", vkey)
        material = _base64(found.group(3)) if found else b""
        if not found or len(material) != 33 or material[0] != kind:
            raise Wrong("key-malformed", place, f"this is no key of the form name+id+key (Ed25519, type {kind})")
        if hashlib.sha256(found.group(1).encode() + b"\n" + material).hexdigest()[:8] != found.group(2):
            raise Wrong("key-malformed", place, "the id of this key is not that of its name and key")
        return cls(found.group(1), bytes.fromhex(found.group(2)), material[1:])


class Note(NamedTuple):
    text: str
    others: list[tuple[str, bytes, bytes]]


def _base64(text: str) -> bytes:
    """The bytes of canonical base64; none where it is not."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


def open_note(note: bytes, key: Key, place: str) -> Note:
    """The text that the key signed, with the signature lines of other keys. One line by this key, no more, no less."""
    try:
        text, gap, block = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Wrong("note-malformed", place, "the note is not UTF-8") from None
    if not gap or not block.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", text + block):
        raise Wrong("note-malformed", place, "this is no signed note: text, a blank line, signatures")
    text, ours, others = text + "\n", [], []
    lines = block[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise Wrong("note-malformed", place, f"the note has more than {SIGNATURES_MAX} signatures")
    for line in lines:
        found = re.fullmatch("\u2014 ([^+\\s]+) (\\S+)", line)
        signature = _base64(found.group(2)) if found else b""
        if not found or len(signature) < 5:
            raise Wrong("note-malformed", place, "a signature line of the note is malformed")
        if (found.group(1), signature[:4]) == (key.name, key.key_id):
            ours.append(signature[4:])
        else:
            others.append((found.group(1), signature[:4], signature[4:]))
    if not ours:
        raise Wrong("other-key", place, f"the note is not signed by the key {key.name}+{key.key_id.hex()}")
    if len(ours) > 1:
        raise Wrong("signature-bad", place, "the note has a second signature line by the same key")
    if not ed25519_verify(key.public_key, text.encode(), ours[0]):
        raise Wrong("signature-bad", place, "the signature is not one of this text by this key")
    return Note(text, others)


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes


def parse_checkpoint(text: str, place: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    root = _base64(lines[2]) if len(lines) > 2 else b""
    if len(root) != 32 or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) or not lines[0]:
        raise Wrong("note-malformed", place, "the signed text is no checkpoint: origin, size, root")
    return Checkpoint(lines[0], int(lines[1]), root)


# ---------------------------------------------------------------- the Merkle tree (RFC 6962; RFC 9162, 2.1.3.2)


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def root_by(index: int, size: int, digest: bytes, proof: list[bytes]) -> bytes | None:
    """The root that follows from a leaf's hash and its proof; None where the proof does not fit the tree."""
    position, last = index, size - 1
    for sibling in proof:
        if last == 0:
            return None
        if position & 1 or position == last:
            digest = hashlib.sha256(b"\1" + sibling + digest).digest()
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            digest = hashlib.sha256(b"\1" + digest + sibling).digest()
        position, last = position >> 1, last >> 1
    return digest if last == 0 else None


def parse_proof(data: bytes, place: str) -> tuple[int, list[bytes], bytes]:
    """Index, hashes and checkpoint of a C2SP tlog-proof."""
    head, _, checkpoint = data.partition(b"\n\n")
    lines = head.decode("ascii", "replace").split("\n")
    index = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines[1]) if len(lines) > 1 else None
    hashes = [_base64(line) for line in lines[2:]]
    if lines[0] != PROOF or index is None or any(len(each) != 32 for each in hashes):
        raise Wrong("proof-malformed", place, "this is no proof of the form " + PROOF)
    return int(index.group(1)), hashes, checkpoint


# ---------------------------------------------------------------- the ZIP file
# An export has one form only: members stored plainly, each right after the other, with the same date and rights. So
# every program reads the same from it, nothing can hide between members, and nothing can swell when it is unpacked.


class Member(NamedTuple):
    offset: int
    size: int
    crc: int


def local_header(name: bytes, size: int, crc: int) -> bytes:
    return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, crc, size, size, len(name), 0) + name


def central_header(name: bytes, member: Member) -> bytes:
    crc, size = member.crc, member.size
    numbers = (0x314, 20, 0, 0, 0, 33, crc, size, size, len(name), 0, 0, 0, 0, 0o100644 << 16, member.offset)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *numbers) + name


class Archive:
    """An export's members by name, read one at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.members: dict[str, Member] = {}
        length = file.seek(0, os.SEEK_END)
        start = self._at(0, min(4, length))
        end = self._at(max(0, length - 22), min(22, length))
        if start != b"PK\3\4":
            raise Wrong("not-a-zip", "the file", "this is not a ZIP file")
        if end[:4] != b"PK\5\6":
            raise Wrong("truncated", "the file", "the ZIP file is cut off, or something was added behind its end")
        count, directory_size, directory = struct.unpack("<H2L", end[10:20])
        whole = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, directory_size, directory, 0)
        if end != whole or directory + directory_size != length - 22:
            raise Wrong("container", "the file", "the directory of the ZIP file does not fit the file")
        if count > MEMBERS_MAX or directory_size > MEMBERS_MAX * 300:
            raise Wrong("too-large", "the file", f"more than {MEMBERS_MAX} members")
        self._read_directory(self._at(directory, directory_size), count, directory)

    def _read_directory(self, data: bytes, count: int, directory: int) -> None:
        place, offset = 0, 0
        for _ in range(count):
            fields = struct.unpack("<4s6H3L5H2L", data[place : place + 46].ljust(46, b"\0"))
            raw = data[place + 46 : place + 46 + fields[10]]
            name = self._checked_name(raw)
            self._check_kind(name, fields)
            member = Member(offset, fields[9], fields[7])
            header = local_header(raw, member.size, member.crc)
            record = central_header(raw, member)
            if data[place : place + len(record)] != record or self._at(offset, len(header)) != header:
                raise Wrong("container", name, "the ZIP file's record of this member is not of the form of an export")
            self.members[name] = Member(offset + len(header), member.size, member.crc)
            place, offset = place + len(record), offset + len(header) + member.size
        if place != len(data) or offset != directory:
            raise Wrong("container", "the file", "something stands between or behind the members of the ZIP file")

    def _checked_name(self, raw: bytes) -> str:
        name = raw.decode("utf-8", "replace")
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
            raise Wrong("path-unsafe", name, "this path leads out of the folder: unpack this file nowhere")
        if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", name) or "." in parts or len(name) > 200:
            raise Wrong("path-unsafe", repr(name), "an export has no path like this one")
        if name in self.members:
            raise Wrong("doubled", name, "this name is there twice in the ZIP file")
        return name

    def _check_kind(self, name: str, fields: tuple[Any, ...]) -> None:
        if fields[9] > MEMBER_BYTES_MAX:
            raise Wrong("too-large", name, f"it claims {fields[9]} bytes; at most {MEMBER_BYTES_MAX} are read")
        if (fields[15] >> 16) & 0o170000 == 0o120000:
            raise Wrong("link", name, "this is a link to another file; an export has none")
        if fields[4] != 0 or fields[8] != fields[9]:
            raise Wrong("compressed", name, "this is compressed; an export stores its files plainly")

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def read(self, name: str, bytes_max: int = MEMBER_BYTES_MAX) -> bytes:
        member = self.members.get(name)
        if member is None:
            raise Wrong("missing", name, "this file is not there")
        if member.size > bytes_max:
            raise Wrong("too-large", name, f"{member.size} bytes; at most {bytes_max} fit")
        data = self._at(member.offset, member.size)
        if len(data) != member.size:
            raise Wrong("truncated", name, "the ZIP file ends in the middle of this file")
        if zlib.crc32(data) != member.crc:
            raise Wrong("altered", name, "its check sum in the ZIP file is not that of its bytes")
        return data


# ---------------------------------------------------------------- the checks, in their order


class Entry(NamedTuple):
    digest: bytes
    subjects: dict[str, tuple[int, str | None]]


def parse_json(data: bytes, place: str) -> Any:
    """A JSON object without doubled keys."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        found = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Wrong("malformed", place, "this is not a JSON object, or one of its keys is there twice")
    return found


class Checks:
    """All checks of one export. `statements` says in plain words what holds."""

    def __init__(self, archive: Archive, vkey: str | None, witnesses: Sequence[str] = ()) -> None:
        self._archive = archive
        self._given = vkey
        self._witnesses = [Key.parse(each, "--witness", OF_WITNESS) for each in witnesses]
        self.statements: list[str] = []
        self.warnings: list[str] = []
        self._missed: dict[tuple[str, int], str] = {}
        self._came: set[tuple[str, int]] = set()

    def run(self) -> None:
        manifest = self._check_manifest()
        try:
            self._check_files(manifest["files"])
            self._check_question(manifest)
            for log in manifest["logs"]:
                self._check_log(log, manifest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Wrong("malformed", MANIFEST, f"a part of the manifest is not as it must be ({error})") from None
        for (aggregate, version), log in sorted(self._missed.items()):
            if (aggregate, version) not in self._came:
                self.warnings.append(f"{log}: the trail says that an event never came: {aggregate}, version {version}.")

    def _check_manifest(self) -> Any:
        """Who signed this, and what it says it holds."""
        inside = self._archive.read(VKEY, 1_000).decode("utf-8", "replace").strip()
        self._key = Key.parse(self._given or inside, "--vkey" if self._given else VKEY)
        lines = open_note(self._archive.read(MANIFEST_NOTE, NOTE_BYTES_MAX), self._key, MANIFEST_NOTE)
        data = self._archive.read(MANIFEST)
        digest = hashlib.sha256(data).hexdigest()
        if lines.others or lines.text.split("\n")[:1] != [EXPORT]:
            raise Wrong("note-malformed", MANIFEST_NOTE, "this is no statement about an export")
        if lines.text != f"{EXPORT}\n{self._key.name}\n{digest}\n":
            raise Wrong("altered", MANIFEST, "the manifest is not the one that was signed")
        manifest = parse_json(data, MANIFEST)
        if manifest.get("format") != EXPORT or manifest.get("vkey") != inside:
            raise Wrong("malformed", MANIFEST, "the manifest is of another format, or names another key")
        if self._given is None:
            self.warnings.append(
                "The key came with the file. Compare it with the one that the deployment publishes, or pass that one "
                f"with --vkey:\n    {inside}"
            )
        self.statements.append(f"The manifest is signed by {self._key.name} (sha256 {digest}).")
        if "made_at" in manifest:  # releases before it was named leave it out
            made_at = manifest["made_at"]
            if not isinstance(made_at, str) or not TIME.fullmatch(made_at):
                raise Wrong("malformed", MANIFEST, "the time at which the export was made is none")
            self.statements.append(f"It was made at {made_at}, as the signed manifest says.")
        return manifest

    def _check_files(self, files: list[Any]) -> None:
        """Every file is the one that was listed, and there is no other."""
        listed = {each["path"]: each for each in files}
        if len(listed) != len(files):
            raise Wrong("doubled", MANIFEST, "the manifest lists a path twice")
        for name in self._archive.members:
            if name not in listed and name not in (MANIFEST, MANIFEST_NOTE):
                raise Wrong("unlisted", name, "the manifest does not list this file")
        for name, each in listed.items():
            data = self._archive.read(name)
            if (len(data), hashlib.sha256(data).hexdigest()) != (each["size"], each["sha256"]):
                raise Wrong("altered", name, "these are not the bytes that the manifest lists")
        self.statements.append(f"All {len(files)} files are those that the manifest lists, and there is no other.")

    def _check_question(self, manifest: Any) -> None:
        """What is here is what was asked for, and each folder is that of a log."""
        query, logs = manifest["query"], [log["log"] for log in manifest["logs"]]
        if "log" in query:
            answered = logs == [query["log"]]
        else:
            answered = all(f"{kind}:{value}" in manifest["subjects"] for kind, value in query.items())
        if not query or not logs or len(set(logs)) != len(logs) or not answered:
            raise Wrong("question-unanswered", MANIFEST, "the logs and subjects here do not answer what was asked for")
        for name in self._archive.members:
            if name.startswith("logs/") and name.split("/")[1] not in logs:
                raise Wrong("unlisted", name, "it belongs to none of the logs")
        self.statements.append("Asked for: " + ", ".join(f"{name} {value}" for name, value in query.items()) + ".")

    def _check_log(self, log: Any, manifest: Any) -> None:
        name, folder = log["log"], f"logs/{log['log']}"
        note = self._archive.read(f"{folder}/checkpoint", NOTE_BYTES_MAX)
        signed = open_note(note, self._key, f"{folder}/checkpoint")
        checkpoint = parse_checkpoint(signed.text, f"{folder}/checkpoint")
        if checkpoint.origin != f"{self._key.name}/{name}":
            raise Wrong("other-log", f"{folder}/checkpoint", f"this is a checkpoint of {checkpoint.origin}")
        if (checkpoint.origin, checkpoint.size) != (log["origin"], log["size"]):
            raise Wrong("other-log", f"{folder}/checkpoint", "the manifest speaks of another checkpoint")
        entries = self._check_entries(folder, name, checkpoint, note)
        if len(entries) != log["entries"]:
            raise Wrong("missing", folder, f"{log['entries']} entries are promised, {len(entries)} are here")
        self.statements.append(
            f"{name}: the checkpoint of {checkpoint.size} entries is signed; {len(entries)} entries are here, and each "
            "is proven to be in that tree."
        )
        self._check_cosignatures(folder, signed)
        if "log" in manifest["query"]:
            self._check_range(folder, entries, manifest["query"])
        else:
            self._check_subjects(folder, entries, checkpoint, manifest["subjects"])

    def _check_cosignatures(self, folder: str, signed: Note) -> None:
        """Who else saw this checkpoint: those who were named to us, or those whose keys lie beside it."""
        place, inside = f"{folder}/checkpoint", f"{folder}/witnesses"
        keys = self._witnesses
        if not keys and inside in self._archive.members:
            lines = self._archive.read(inside).decode("utf-8", "replace").split()
            keys = [Key.parse(line, inside, OF_WITNESS) for line in lines]
            names = ", ".join(key.name for key in keys)
            self.warnings.append(f"{place}: the keys of the witnesses ({names}) came with the file: compare them, too.")
        for key in keys:
            theirs = [each for name, key_id, each in signed.others if (name, key_id) == (key.name, key.key_id)]
            if len(theirs) != 1:
                raise Wrong("not-cosigned", place, f"{len(theirs)} signatures by the witness {key.name}, not one")
            at = int.from_bytes(theirs[0][:8], "big")
            text = f"cosignature/v1\ntime {at}\n{signed.text}"
            if at > YEAR_9999 or not ed25519_verify(key.public_key, text.encode(), theirs[0][8:]):
                raise Wrong("signature-bad", place, f"the signature by the witness {key.name} is not one of this text")
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
            self.statements.append(f"  The witness {key.name} saw and signed this checkpoint at {when}.")
        if f"{place}.tsr" in self._archive.members:
            self.warnings.append(f"{place}.tsr: a time stamp (RFC 3161). VERIFY.md says how openssl checks it.")

    def _check_entries(self, folder: str, name: str, checkpoint: Checkpoint, note: bytes) -> dict[int, Entry]:
        entries = {}
        proofs = {path for path in self._archive.members if path.startswith(f"{folder}/proofs/")}
        for path in self._archive.members:
            if not path.startswith(f"{folder}/entries/"):
                continue
            found = re.fullmatch(r"(0|[1-9][0-9]*)\.json", path.rpartition("/")[2])
            if not found or path != f"{folder}/entries/{found.group(0)}":
                raise Wrong("unlisted", path, "this is no entry")
            index, data = int(found.group(1)), self._archive.read(path, ENTRY_BYTES_MAX)
            proof = f"{folder}/proofs/{index}.tlog-proof"
            self._check_proof(proof, index, leaf_hash(data), checkpoint, note)
            proofs.discard(proof)
            entries[index] = self._entry(data, path, name)
        for path in proofs:
            raise Wrong("missing", path, "there is a proof, but no entry")
        return dict(sorted(entries.items()))

    def _check_proof(self, path: str, index: int, digest: bytes, checkpoint: Checkpoint, note: bytes) -> None:
        proven, hashes, proof_note = parse_proof(self._archive.read(path, NOTE_BYTES_MAX), path)
        if proven != index:
            raise Wrong("proof-wrong", path, f"this is a proof for entry {proven}, not for {index}")
        if proof_note != note:
            raise Wrong("proof-wrong", path, "its checkpoint is not that of this log in this file")
        if index >= checkpoint.size or root_by(index, checkpoint.size, digest, hashes) != checkpoint.root:
            raise Wrong("proof-wrong", path, f"it does not prove that entry {index} is in the signed tree")

    def _entry(self, data: bytes, path: str, log: str) -> Entry:
        leaf = parse_json(data, path)
        try:
            if leaf["log"] != log:
                raise Wrong("other-log", path, f"this is an entry of the log {leaf['log']}")
            self._note_gaps(leaf)
            return Entry(leaf_hash(data), {each["ref"]: (each["n"], each["prev"]) for each in leaf["subjects"]})
        except (KeyError, TypeError) as error:
            raise Wrong("malformed", path, f"the entry lacks a field ({error})") from None

    def _note_gaps(self, leaf: Any) -> None:
        """What the trail says of events that never reached it; one that came later is not missing."""
        data, aggregate = leaf["data"], leaf["aggregate"]
        if leaf["type"] == "trail.gap":
            before, after = data["from_version"], min(data["to_version"], data["from_version"] + GAP_VERSIONS_MAX)
            self._missed.update({(data["aggregate"], version): leaf["log"] for version in range(before + 1, after)})
        elif aggregate:
            service = leaf["source"]["topic"].partition(".")[0]
            self._came.add((f"{service}:{aggregate['id']}", aggregate["version"]))

    def _check_range(self, folder: str, entries: dict[int, Entry], query: Any) -> None:
        if list(entries) != list(range(query["from"], query["until"])):
            raise Wrong("missing", folder, f"not all entries from {query['from']} until {query['until']} are here")
        self.statements.append(f"  Entries {query['from']} to {query['until'] - 1}: all of them, none left out.")

    def _check_subjects(self, folder: str, entries: dict[int, Entry], checkpoint: Checkpoint, asked: list[str]) -> None:
        """The counts of subjects are signed, and the chain of each is whole, from its first entry to its last."""
        place = f"{folder}/subjects.note"
        signed = open_note(self._archive.read(place, NOTE_BYTES_MAX), self._key, place)
        kind, *lines = signed.text[:-1].split("\n")
        if signed.others or kind != SUBJECTS:
            raise Wrong("note-malformed", place, "this is no statement about subjects")
        if parse_checkpoint("\n".join(lines[:3]) + "\n", place) != checkpoint:
            raise Wrong("other-log", place, "the counts of subjects are those of another log or another size")
        counts = [line.split(" ") for line in lines[3:]]
        if [each[0] for each in counts] != asked or any(len(each) != 3 for each in counts):
            raise Wrong("subject-gap", place, "the counts are not those of the subjects that were asked for")
        linked: set[int] = set()
        for ref, count, last in counts:
            linked.update(self._check_chain(place, ref, int(count), last, entries))
        for index in entries:
            if index not in linked:
                raise Wrong("unlisted", f"{folder}/entries/{index}.json", "it belongs to no subject that was asked for")

    def _check_chain(self, place: str, ref: str, count: int, last: str, entries: dict[int, Entry]) -> list[int]:
        links = [(index, entry) for index, entry in entries.items() if ref in entry.subjects]
        before = None
        for number, (_, entry) in enumerate(links, 1):
            if entry.subjects[ref] != (number, before):
                raise Wrong("subject-gap", place, f"{ref}: its entry number {number} is missing or another one")
            before = entry.digest.hex()
        if (len(links), before or "-") != (count, last):
            raise Wrong("subject-gap", place, f"{ref}: {count} entries were signed for, {len(links)} are here")
        words = f"{count} of {count} entries, none missing in between" if count else "no entry, and that is signed"
        self.statements.append(f"  {ref}: {words}.")
        return [index for index, _ in links]


def check(file: IO[bytes], vkey: str | None = None, witnesses: Sequence[str] = ()) -> Checks:
    """All checks of an export in an open file. Raises Wrong with the first thing that does not hold."""
    checks = Checks(Archive(file), vkey, witnesses)
    checks.run()
    return checks


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Checks an export of a Doorstep evidence trail.")
    parser.add_argument("export", help="the ZIP file")
    parser.add_argument("--vkey", help="the verifier key that the deployment publishes, or a file that holds it")
    parser.add_argument("--witness", action="append", default=[], help="key of a witness that must have signed, too")
    options = parser.parse_args(arguments)
    vkey = options.vkey
    if vkey is not None and os.path.isfile(vkey):
        with open(vkey, encoding="utf-8") as key_file:
            vkey = key_file.read().strip()
    say = sys.stdout.write
    try:
        with open(options.export, "rb") as file:
            found = check(file, vkey, options.witness)
    except OSError as error:
        parser.error(f"{options.export} cannot be read: {error.strerror}")
    except Wrong as wrong:
        say(f"WRONG ({wrong.kind}) {wrong}\nDo not rely on this file. 此檔案不可採信。\n")
        return 1
    say("\n".join([*found.statements, *(f"NOTE {warning}" for warning in found.warnings), ""]))
    say("Everything above was checked and holds. 以上各項均已查核無誤。\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
