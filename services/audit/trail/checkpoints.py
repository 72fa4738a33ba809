"""Checkpoints: signed statements of a log's size and root. Made after the commit that they speak of, never before:
a checkpoint of something that was rolled back would be a fork."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from services.audit.settings import AuditSettings
from services.audit.trail.merkle import root_at
from services.audit.trail.note import Checkpoint, NoteInvalid, Signer, Verifier, open_note, sign
from services.audit.trail.storage import hashes_for, newest_checkpoint
from services.audit.trail.tables import CHECKPOINT, HEAD
from shared import keys
from shared.clock import system_now
from shared.database import Transaction


class TrailBroken(Exception):
    """The stored trail contradicts what was signed: nothing may be added until a person has looked."""


def signer_of(settings: AuditSettings) -> Signer:
    key: Ed25519PrivateKey = keys.private_key(settings.signing_key_file, settings=settings, name="trail")
    return Signer(settings.trail_origin, key)


def verifier_of(settings: AuditSettings) -> Verifier:
    return signer_of(settings).verifier


def origin_of(settings: AuditSettings, log_id: str) -> str:
    """The first line of a log's checkpoints: two deployments never share one."""
    return f"{settings.trail_origin}/{log_id}"


async def make_checkpoint(tx: Transaction, log_id: str, signer: Signer, settings: AuditSettings) -> int:
    """Sign the committed head of a log. Returns its size; the same size is signed once."""
    head = (await tx.session.execute(select(HEAD.c.size, HEAD.c.root).where(HEAD.c.log_id == log_id))).one()
    note = sign(Checkpoint(origin_of(settings, log_id), head.size, head.root).text(), signer)
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    row = {"log_id": log_id, "size": head.size, "note": note, "made_at": system_now().isoformat()}
    await tx.session.execute(dialect.insert(CHECKPOINT).values(row).on_conflict_do_nothing())
    size: int = head.size
    return size


async def check_against_checkpoints(tx: Transaction, verifier: Verifier, settings: AuditSettings) -> None:
    """Before anything is added: each log still holds what its newest checkpoint says. Raises TrailBroken."""
    heads = (await tx.session.execute(select(HEAD.c.log_id, HEAD.c.size).order_by(HEAD.c.log_id))).all()
    for log_id, size in heads:
        newest = await newest_checkpoint(tx, log_id)
        if newest is None:
            continue
        try:
            signed = Checkpoint.parse(open_note(newest[1], verifier))
        except NoteInvalid as invalid:
            raise TrailBroken(f"log {log_id}: the newest checkpoint is not ours: {invalid.reason}") from invalid
        if signed.size > size:
            raise TrailBroken(f"log {log_id}: {signed.size} entries were signed, {size} are here")
        try:
            root = root_at(signed.size, await hashes_for(tx, log_id, size, [(0, signed.size)]))
        except ValueError as error:
            raise TrailBroken(f"log {log_id}: the tree cannot be put together: {error}") from error
        if root != signed.root or signed.origin != origin_of(settings, log_id):
            raise TrailBroken(f"log {log_id}: the tree of {signed.size} entries is not the one that was signed")
