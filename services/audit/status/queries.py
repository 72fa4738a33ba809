"""How the trail stands: what is published of each log, who vouches for it, and what is missing. It believes no
signature, stamp or copy that it has not verified."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select

from services.audit.attestations.checkpoints import copies_are_expected, origin_of, verifier_of
from services.audit.attestations.copies import CheckpointFolder
from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.attestations.timestamps import StampInvalid, TimeAuthority, authority_of
from services.audit.attestations.witness_policy import Policy, policy_of
from services.audit.settings import AuditSettings
from services.audit.status.schemas import LogStatus, TrailStatus
from services.audit.tlog.note import Checkpoint, NoteInvalid, Verifier, open_note
from services.audit.trail.state import halted_because
from services.audit.trail.tables import HEAD
from services.audit.verification.queries import last_verification
from shared.bus.transport import TransportClosed, TransportDown
from shared.bus.watchdog import lag_of
from shared.clock import system_now
from shared.database import Transaction
from shared.runtime import Runtime

LATE_SECONDS = 60.0
STAMP_LATE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Outside:
    """What vouches for the trail, and how its claims are verified."""

    settings: AuditSettings
    verifier: Verifier
    policy: Policy | None
    authority: TimeAuthority | None
    copies: Mapping[str, str] | None
    now: datetime


async def trail_status(runtime: Runtime, tx: Transaction) -> TrailStatus:
    """The status as of now."""
    settings = AuditSettings.of(runtime.settings)
    waiting, beyond = await _waiting(runtime, tx)
    halted = await halted_because(tx)
    expected = await copies_are_expected(tx, settings)
    copies = await _copies(settings)
    problems = []
    if copies is None and (expected or settings.checkpoint_dir is not None):
        problems.append(f"the folder of copied checkpoints is not there: {settings.checkpoint_folder}")
    if beyond:
        problems.append(f"{beyond} events were taken that the bus does not have: was a topic cut, or made again?")
    outside = _Outside(
        settings,
        verifier_of(settings),
        policy_of(settings),
        authority_of(settings),
        copies if copies is not None or not expected else {},
        system_now(),
    )
    try:
        logs = [await _log_status(tx, row, outside) for row in await tx.session.execute(_HEADS)]
    finally:
        if outside.authority is not None:
            await outside.authority.close()
    gone = sorted(set(outside.copies or {}) - {log.log for log in logs})
    logs += [_blank(name, problems=["a checkpoint of it was copied outside, but the log is not here"]) for name in gone]
    verified = await last_verification(tx)
    return TrailStatus(
        well=waiting is not None
        and halted is None
        and (verified is None or verified.ok)
        and not problems
        and not any(log.problems for log in logs),
        halted=halted,
        problems=problems,
        waiting=waiting,
        witnesses=list(outside.policy.witnesses) if outside.policy else [],
        quorum=outside.policy.quorum if outside.policy else None,
        witness_fail=settings.witness_fail if outside.policy else None,
        time_authority=settings.tsa_url,
        checkpoint_dir=None if copies is None else str(settings.checkpoint_folder),
        last_verification=verified,
        logs=logs,
    )


_HEADS = select(HEAD.c.log_id, HEAD.c.size, HEAD.c.root).order_by(HEAD.c.log_id)


async def _waiting(runtime: Runtime, tx: Transaction) -> tuple[int | None, int]:
    """How many events the sequencer has not taken yet (None while the bus is away); and how many it took that the bus
    does not have."""
    service = runtime.service
    try:
        ends = await runtime.transport.ends(service.listens_to)
    except (TransportDown, TransportClosed):
        return None, 0
    reached = await service.positions(tx, service.tables.bus, service.name)
    return lag_of(ends, reached)


async def _copies(settings: AuditSettings) -> Mapping[str, str] | None:
    """The newest copy of each log's checkpoint; None where the folder is not there."""
    try:
        return await asyncio.to_thread(CheckpointFolder(settings.checkpoint_folder).newest)
    except OSError:
        return None


async def _log_status(tx: Transaction, head: Row[str, int, bytes], outside: _Outside) -> LogStatus:
    log_id, size, root = head
    newest = (
        await tx.session.execute(
            select(CHECKPOINT).where(CHECKPOINT.c.log_id == log_id).order_by(CHECKPOINT.c.size.desc()).limit(1)
        )
    ).first()
    found = _blank(log_id, size=size, root=root.hex())
    if newest is not None:
        found.checkpoint_size = newest.size
        found.checkpoint_age_seconds = _age(newest.made_at, outside.now)
        _check_note(found, newest.note, outside)
    if outside.authority is not None:
        await _check_stamp(tx, found, outside.authority, outside.now)
    if outside.copies is not None:
        _check_copy(found, outside.copies.get(log_id), outside)
    if found.checkpoint_size < size and (found.checkpoint_age_seconds or LATE_SECONDS) >= LATE_SECONDS:
        found.problems.append(f"{size - found.checkpoint_size} entries wait for a published checkpoint")
    return found


def _blank(log_id: str, size: int = 0, root: str = "", problems: Sequence[str] = ()) -> LogStatus:
    """A log of which nothing outside is known yet."""
    return LogStatus(
        log=log_id,
        size=size,
        root=root,
        checkpoint_size=0,
        checkpoint_age_seconds=None,
        cosigned={},
        quorum=None,
        stamped_size=0,
        stamped_at=None,
        copied_size=None,
        problems=list(problems),
    )


def _check_note(found: LogStatus, note: str, outside: _Outside) -> None:
    """Who signed the newest checkpoint, and whether that is enough."""
    size = _size_of(note, found.log, outside)
    if size != found.checkpoint_size:
        found.problems.append("the newest checkpoint is not one of this log by our key")
        return
    if outside.policy is not None:
        found.cosigned = outside.policy.cosigned_by(note)
        found.quorum = outside.policy.enough(found.cosigned)
        if not found.quorum:
            count = f"{len(found.cosigned)} of {len(outside.policy.witnesses)}"
            found.problems.append(f"only {count} witnesses cosigned the newest checkpoint: no quorum")


def _size_of(note: str, log_id: str, outside: _Outside) -> int | None:
    """The size that our own signature vouches for; None where there is none."""
    try:
        signed = Checkpoint.parse(open_note(note, outside.verifier))
    except NoteInvalid:
        return None
    return signed.size if signed.origin == origin_of(outside.settings, log_id) else None


async def _check_stamp(tx: Transaction, found: LogStatus, authority: TimeAuthority, now: datetime) -> None:
    """The newest time stamp of the log, verified; and whether a checkpoint waits for one for long."""
    same = (CHECKPOINT.c.log_id == CHECKPOINT_STAMP.c.log_id) & (CHECKPOINT.c.size == CHECKPOINT_STAMP.c.size)
    newest = (
        await tx.session.execute(
            select(CHECKPOINT_STAMP.c.size, CHECKPOINT_STAMP.c.stamp, CHECKPOINT.c.note)
            .join(CHECKPOINT, same)
            .where(CHECKPOINT_STAMP.c.log_id == found.log)
            .order_by(CHECKPOINT_STAMP.c.size.desc())
            .limit(1)
        )
    ).first()
    if newest is not None:
        try:
            found.stamped_at = authority.time_of(newest.stamp, newest.note)
            found.stamped_size = newest.size
        except StampInvalid as invalid:
            found.problems.append(f"the time stamp of the checkpoint of size {newest.size}: {invalid}")
    oldest: str | None = await tx.session.scalar(
        select(CHECKPOINT.c.made_at)
        .where(CHECKPOINT.c.log_id == found.log, CHECKPOINT.c.size > (newest.size if newest else 0))
        .order_by(CHECKPOINT.c.size)
        .limit(1)
    )
    if oldest is not None and _age(oldest, now) > STAMP_LATE_SECONDS:
        found.problems.append("checkpoints wait for a time stamp")


def _check_copy(found: LogStatus, copy: str | None, outside: _Outside) -> None:
    """How far the copy outside the data folder is; one that is ahead tells of a restored backup."""
    size = _size_of(copy, found.log, outside) if copy is not None else 0
    found.copied_size = size or 0
    if size is None:
        found.problems.append("the copy of its checkpoint is not one of this log by our key")
    elif size > found.size:
        found.problems.append(f"its copied checkpoint signs {size} entries, {found.size} are here: an old backup?")
    elif size > found.checkpoint_size:
        found.problems.append(f"its checkpoint of {size} entries was copied and is not here: was it removed?")
    elif size < found.checkpoint_size and (found.checkpoint_age_seconds or 0) >= LATE_SECONDS:
        found.problems.append("its newest checkpoint was not copied")


def _age(made_at: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(made_at)).total_seconds())
