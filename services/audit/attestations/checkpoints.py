"""Checkpoints: signed statements of a log's size and root. Made after the commit that they speak of, never before:
a checkpoint of something that was rolled back would be a fork."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, select

from services.audit.attestations.copies import CheckpointFolder, size_in
from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.settings import AuditSettings
from services.audit.tlog.merkle import root_at
from services.audit.tlog.note import Checkpoint, NoteInvalid, Signer, Verifier, open_note, sign
from services.audit.trail.entries import HEADS, OPERATOR
from services.audit.trail.state import COPIES, TrailBroken, read_state
from services.audit.trail.statements import stored_restorations
from services.audit.trail.storage import hashes_for
from services.audit.trail.tables import ENTRY, HEAD
from shared import keys
from shared.bulk import insert_into
from shared.database import Transaction

MINUTE_CHARACTERS = len("2026-11-26T11:05")


def signer_of(settings: AuditSettings) -> Signer:
    key: Ed25519PrivateKey = keys.private_key("signing_key_file", settings=settings, name="trail")
    return Signer(settings.trail_origin, key)


def verifier_of(settings: AuditSettings) -> Verifier:
    return signer_of(settings).verifier


def origin_of(settings: AuditSettings, log_id: str) -> str:
    """The first line of a log's checkpoints: two deployments never share one."""
    return f"{settings.trail_origin}/{log_id}"


@dataclass(frozen=True, slots=True)
class Head:
    """A log as it was committed: so many entries, with this root. The entries [signed, size) have no checkpoint."""

    log_id: str
    size: int
    root: bytes
    signed: int


async def unpublished_heads(tx: Transaction) -> list[Head]:
    """The logs that have grown since their newest checkpoint."""
    newest = select(func.max(CHECKPOINT.c.size)).where(CHECKPOINT.c.log_id == HEAD.c.log_id).scalar_subquery()
    signed = func.coalesce(newest, 0)
    rows = await tx.session.execute(
        select(HEAD.c.log_id, HEAD.c.size, HEAD.c.root, signed).where(HEAD.c.size > signed).order_by(HEAD.c.log_id)
    )
    return [Head(*row) for row in rows]


def sign_head(head: Head, signer: Signer, settings: AuditSettings) -> str:
    """The checkpoint of a committed head, as a signed note."""
    return sign(Checkpoint(origin_of(settings, head.log_id), head.size, head.root).text(), signer)


async def store_checkpoint(tx: Transaction, head: Head, note: str, now: datetime) -> None:
    """Publish a checkpoint; the same size is published once. Of each minute the last one is kept, and what
    has a time stamp."""
    row = {"log_id": head.log_id, "size": head.size, "note": note, "made_at": now.isoformat()}
    await tx.session.execute(insert_into(tx, CHECKPOINT).values(row).on_conflict_do_nothing())
    same_log = CHECKPOINT.c.log_id == head.log_id
    before = select(func.max(CHECKPOINT.c.size)).where(same_log, CHECKPOINT.c.size < head.size).scalar_subquery()
    same_minute = func.substr(CHECKPOINT.c.made_at, 1, MINUTE_CHARACTERS) == minute_of(now)
    stamped = select(CHECKPOINT_STAMP.c.size).where(CHECKPOINT_STAMP.c.log_id == head.log_id)
    superseded = CHECKPOINT.c.size == before, CHECKPOINT.c.size.not_in(stamped)
    await tx.session.execute(delete(CHECKPOINT).where(same_log, same_minute, *superseded))


def minute_of(now: datetime) -> str:
    """The minute of a time, as the times of checkpoints begin."""
    return now.isoformat()[:MINUTE_CHARACTERS]


async def check_against_checkpoints(tx: Transaction, verifier: Verifier, settings: AuditSettings) -> None:
    """Before anything is added: each log still is what its newest checkpoint says, the one here and the one that was
    copied elsewhere. Raises TrailBroken."""
    # First the copies, then checkpoints, then sizes: another process may be adding entries, signing and copying.
    copies = await asyncio.to_thread(_copies, settings, required=await copies_are_expected(tx, settings))
    signed = await newest_checkpoints(tx)
    sizes = await _sizes(tx)
    for log_id, (_, note) in signed.items():
        await _hold(tx, log_id, sizes.get(log_id, 0), note, verifier, settings)
    given_up = await stored_restorations(tx, signed[OPERATOR][0]) if OPERATOR in signed else []
    for log_id, note in copies.items():
        if any(each.log == log_id and each.covers(size_in(note)) for each in given_up):
            continue
        signed_size, newest = signed.get(log_id, (0, None))
        if note != newest:  # else it was checked above
            await _hold(tx, log_id, sizes.get(log_id, 0), note, verifier, settings)
        if size_in(note) > signed_size:
            raise TrailBroken(
                f"log {log_id}: a checkpoint of {size_in(note)} entries was copied to {settings.checkpoint_folder} and "
                "is not in the database. Were checkpoints removed?"
            )


async def newest_checkpoints(tx: Transaction) -> dict[str, tuple[int, str]]:
    """Size and note of every log's largest checkpoint."""
    largest = select(CHECKPOINT.c.log_id, func.max(CHECKPOINT.c.size).label("size")).group_by(CHECKPOINT.c.log_id)
    newest = largest.subquery()
    same = (CHECKPOINT.c.log_id == newest.c.log_id) & (CHECKPOINT.c.size == newest.c.size)
    rows = await tx.session.execute(
        select(CHECKPOINT.c.log_id, CHECKPOINT.c.size, CHECKPOINT.c.note).join(newest, same)
    )
    return {row.log_id: (row.size, row.note) for row in rows}


async def _sizes(tx: Transaction) -> dict[str, int]:
    rows = await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size).order_by(HEAD.c.log_id))
    return {row.log_id: row.size for row in rows}


def _copies(settings: AuditSettings, *, required: bool) -> dict[str, str]:
    """The newest copy of each log's checkpoint. Raises TrailBroken where the folder must be there and is not."""
    folder = settings.checkpoint_folder
    try:
        return CheckpointFolder(folder).newest()
    except FileNotFoundError:
        if settings.checkpoint_dir is None and not required:
            return {}
        raise TrailBroken(
            f"{folder}, where checkpoints are copied to, is not there. Mount it (DOORSTEP_CHECKPOINT_DIR), or bring it "
            "back from a backup of the keys; where it is lost for good, `doorstep trail restore` begins a new one, on "
            "the record."
        ) from None
    except OSError as error:
        raise TrailBroken(f"DOORSTEP_CHECKPOINT_DIR cannot be read: {error}") from error


async def copies_are_expected(tx: Transaction, settings: AuditSettings) -> bool:
    """Whether checkpoints of this trail were copied to this folder before, as its database, its keys' folder or its
    operator's log remember. A trail of a release without copies remembers nothing."""
    heads = select(ENTRY.c.idx).where(ENTRY.c.log_id == OPERATOR, ENTRY.c.type == HEADS).limit(1)
    known = await read_state(tx, COPIES)
    return bool(
        (known is not None and known["folder"] == str(settings.checkpoint_folder))
        or await asyncio.to_thread(copies_mark(settings).exists)
        or await tx.session.scalar(heads) is not None
    )


def copies_mark(settings: AuditSettings) -> Path:
    """A file beside the keys that says: checkpoints are copied. It outlives the database and the folder."""
    return settings.keys_path / "checkpoints.kept"


async def _hold(
    tx: Transaction, log_id: str, size: int, note: str, verifier: Verifier, settings: AuditSettings
) -> None:
    """Hold a log of this size to a checkpoint."""
    try:
        signed = Checkpoint.parse(open_note(note, verifier))
    except NoteInvalid as invalid:
        raise TrailBroken(f"log {log_id}: the newest checkpoint is not ours: {invalid.reason}") from invalid
    if signed.size > size:
        raise TrailBroken(
            f"log {log_id}: {signed.size} entries were signed, {size} are here. Was an old backup restored?"
        )
    root = await root_of(tx, log_id, size, signed.size)
    if root != signed.root or signed.origin != origin_of(settings, log_id):
        raise TrailBroken(f"log {log_id}: the tree of {signed.size} entries is not the one that was signed")


async def root_of(tx: Transaction, log_id: str, size: int, at: int) -> bytes:
    """The root of the first `at` entries of a log that has `size`, from what is stored of its tree. Raises TrailBroken
    where that cannot be put together."""
    try:
        return root_at(at, await hashes_for(tx, log_id, size, [(0, at)]))
    except ValueError as error:
        raise TrailBroken(f"log {log_id}: the tree cannot be put together: {error}") from error
