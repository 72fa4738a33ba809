"""Checkpoints, opened: those of the table, and one that was kept elsewhere. Its one rule: a size and a root count only
with a signature of ours over them, under the origin of the very log."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.tlog.note import Checkpoint, NoteInvalid, UnknownKey, Verifier, open_note, signers_of
from services.audit.verification.domain import Kind, Problem


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint stored under a size: the root that it signs, in hex, or the kind of what is wrong with it."""

    size: int
    root: str | None = None
    kind: str | None = None
    detail: str = ""

    @property
    def problem(self) -> Problem | None:
        return Problem(self.size, self.kind, self.detail) if self.kind else None


def read_checkpoint(size: int, note: str, origin: str, verifiers: Sequence[Verifier]) -> Signed:
    try:
        signed = Checkpoint.parse(open_note(note, *verifiers))
    except NoteInvalid as invalid:
        kind, detail = _refused(note, invalid, verifiers)
        return Signed(size, kind=kind, detail=f"the checkpoint of size {size} is not ours: {detail}")
    if signed.origin != origin:
        return Signed(size, kind=Kind.CHECKPOINT_REPLAYED, detail="a checkpoint of another log stands here")
    if signed.size != size:
        detail = f"a checkpoint of size {signed.size} stands here"
        return Signed(size, kind=Kind.CHECKPOINT_REPLAYED, detail=detail)
    return Signed(size, signed.root.hex())


def _refused(note: str, invalid: NoteInvalid, verifiers: Sequence[Verifier]) -> tuple[Kind, str]:
    """Of a note that does not open: whether another key under our name signed it, or no one did."""
    if not isinstance(invalid, UnknownKey):
        return Kind.SIGNATURE_BAD, invalid.reason
    signers = ", ".join(signers_of(note))
    ours = ", ".join(f"{each.name}+{each.key_id.hex()}" for each in verifiers)
    return Kind.KEY_UNKNOWN, f"it is signed by {signers}, not by {ours}"


class ForeignCheckpoint(Exception):
    """The checkpoint to compare with is of no log of this trail; the message says of which."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A checkpoint kept elsewhere, of this log: its size and root, or what is wrong with it."""

    log: str
    size: int
    root: bytes = b""
    problem: Problem | None = None


def read_elsewhere(note: str, origin: str, verifiers: Sequence[Verifier]) -> Elsewhere:
    """A checkpoint that was kept outside the database. Raises ForeignCheckpoint if it is of another trail, or none."""
    named, _, _ = note.partition("\n")
    log = named.removeprefix(f"{origin}/")
    if log == named or not log:
        raise ForeignCheckpoint(f"This is no checkpoint of {origin}: its first line is not {origin}/ and a log.")
    try:
        signed = Checkpoint.parse(open_note(note, *verifiers))
    except NoteInvalid as invalid:
        kind, detail = _refused(note, invalid, verifiers)
        return Elsewhere(log, 0, problem=Problem(0, kind, f"the checkpoint to compare with is not ours: {detail}"))
    return Elsewhere(log, signed.size, signed.root)
