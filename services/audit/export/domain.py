"""What an export is asked for and what it states, decided without any I/O. Its one rule: the same question at the same
sizes of the logs gives the same bytes, so nothing here knows a clock, a random number or a request."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.errors import Conflict, Invalid

FORMAT = "doorstep-export/v1"
SUBJECTS_FORMAT = "doorstep-subjects/v1"
PROOF_FORMAT = "c2sp.org/tlog-proof@v1"
ENTRIES_MAX = 10_000
SUBJECTS_MAX = 200

_log_id = re.compile(r"[a-z][a-z0-9-]{1,40}").fullmatch


class TrailDoesNotHold(Conflict):
    """The trail contradicts itself or what was signed: nothing of it is given out as proof."""

    def __init__(self, what: str) -> None:
        super().__init__("trail-does-not-hold", f"Nothing was exported: {what}. Run `doorstep trail verify`.")


class ExportStatus(StrEnum):
    REQUESTED = "REQUESTED"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Subject:
    """An export of all that is recorded about a case, a debtor or a visit: entries, proofs and who read of it."""

    kind: str
    id: UUID

    @property
    def ref(self) -> str:
        return f"{self.kind}:{self.id}"

    def to_json(self) -> dict[str, str | int]:
        return {self.kind: str(self.id)}


@dataclass(frozen=True, slots=True)
class Range:
    """An export of a piece of one log: entries `start` to `stop` - 1."""

    log: str
    start: int
    stop: int

    def to_json(self) -> dict[str, str | int]:
        return {"log": self.log, "from": self.start, "until": self.stop}


Question = Subject | Range


def question_of(
    *,
    case_id: UUID | None = None,
    debtor_id: UUID | None = None,
    visit_id: UUID | None = None,
    log: str | None = None,
    start: int | None = None,
    stop: int | None = None,
) -> Question:
    """What is asked for. Raises Invalid unless it is exactly one thing."""
    subjects = {"case": case_id, "debtor": debtor_id, "visit": visit_id}
    named = [Subject(kind, value) for kind, value in subjects.items() if value is not None]
    if len(named) + (log is not None) != 1:
        raise Invalid("export-of-what", "Name one thing to export: a case, a debtor, a visit, or a range of a log.")
    if log is None:
        if start is not None or stop is not None:
            raise Invalid("export-of-what", "`from` and `until` need `log`: name the log, too.")
        return named[0]
    if start is None or stop is None or not 0 <= start < stop:
        raise Invalid("range-reversed", "A range of a log needs `from` and `until`, with 0 <= from < until.")
    if stop - start > ENTRIES_MAX:
        raise Invalid("range-too-long", f"At most {ENTRIES_MAX} entries fit into one export: ask for less at a time.")
    if not _log_id(log):
        raise Invalid("log-name", "`log` must be the name of a log: a lender's id, operator or access.")
    return Range(log, start, stop)


def question_from(document: Mapping[str, str | int]) -> Question:
    """The question of its JSON form."""
    if "log" in document:
        return Range(str(document["log"]), int(document["from"]), int(document["until"]))
    [(kind, value)] = document.items()
    return Subject(kind, UUID(str(value)))


@dataclass(frozen=True, slots=True)
class SubjectCount:
    """How many entries of one log are about a subject, and the leaf hash of the last of them."""

    ref: str
    count: int
    last: bytes | None

    def line(self) -> str:
        return f"{self.ref} {self.count} {self.last.hex() if self.last else '-'}\n"


def subjects_text(origin: str, size: int, root: bytes, counts: Sequence[SubjectCount]) -> str:
    """The statement that these subjects have so many entries in the tree of this size, to be signed. Its first line
    keeps it apart from checkpoints: nobody can take one for the other."""
    lines = "".join(count.line() for count in counts)
    return f"{SUBJECTS_FORMAT}\n{origin}\n{size}\n{b64encode(root).decode()}\n{lines}"


def tlog_proof(index: int, hashes: Sequence[bytes], checkpoint: str) -> bytes:
    """The proof that an entry is in the checkpoint's tree, as a text by itself (C2SP tlog-proof)."""
    lines = [PROOF_FORMAT, f"index {index}", *(b64encode(each).decode() for each in hashes)]
    return ("\n".join(lines) + "\n\n" + checkpoint).encode()


def manifest_text(deployment: str, digest: str) -> str:
    """The statement about the manifest, to be signed: everything in an export hangs on it."""
    return f"{FORMAT}\n{deployment}\n{digest}\n"


def manifest_json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
