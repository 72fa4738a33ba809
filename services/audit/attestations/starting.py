"""The checks before a sequencer adds its first entry. A trail that contradicts a signature, a copy, its own statements
or its source does not go on. What no checkpoint covers is signed only where the source bears it out.
"""

import asyncio

from services.audit.attestations.checkpoints import (
    check_against_checkpoints,
    copies_mark,
    newest_checkpoints,
    root_of,
    unpublished_heads,
    verifier_of,
)
from services.audit.attestations.copies import CheckpointFolder, size_in
from services.audit.attestations.tails import check_ages, check_source
from services.audit.attestations.witness_policy import policy_of
from services.audit.settings import AuditSettings
from services.audit.trail.state import COPIES, TrailBroken, read_state, write_state
from services.audit.trail.statements import stored_statements
from services.audit.trail.storage import head_of
from shared.clock import system_now
from shared.database import Database, Transaction
from shared.errors import NotFound
from shared.keys import write_once
from shared.runtime import Runtime
from shared.telemetry import CHECKPOINT_COPIES_FAILED, Log

_log = Log("trail")


async def check_start(runtime: Runtime) -> None:
    """Raises TrailBroken where nothing may be added; TransportDown where the bus must be asked and does not answer."""
    settings = AuditSettings.of(runtime.settings)
    async with runtime.database.reading() as tx:
        await check_against_checkpoints(tx, verifier_of(settings), settings)
        await _check_statements(tx)
        tails = await unpublished_heads(tx)
        policy = policy_of(settings)
        if policy is None or settings.witness_fail == "open":  # else checkpoints wait for witnesses, however long
            await check_ages(tx, tails)
    for tail in tails:
        await check_source(runtime.database, runtime.transport, tail)
    await keep_copies(runtime.database, settings)


async def _check_statements(tx: Transaction) -> None:
    """Each log still is what another log says of it."""
    for said in await stored_statements(tx):
        place = f"entry {said.index} of the log {said.by} says that the log {said.log}"
        try:
            size, _ = await head_of(tx, said.log)
        except NotFound:
            size = 0
        if size < said.size:
            raise TrailBroken(f"{place} had {said.size} entries, {size} are here. Was a log cut, or removed?")
        if await root_of(tx, said.log, size, said.size) != said.root:
            raise TrailBroken(f"{place} had another root at {said.size} entries")


async def keep_copies(database: Database, settings: AuditSettings) -> None:
    """See to it that the folder of copies is there and as new as the database, and remember that it is kept."""
    folder = settings.checkpoint_folder
    try:
        if settings.checkpoint_dir is None:
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            now = system_now().isoformat().encode()
            await asyncio.to_thread(write_once, copies_mark(settings), now + b"\n")
        await _catch_up(database, CheckpointFolder(folder))
    except OSError as error:
        CHECKPOINT_COPIES_FAILED.inc()
        _log.error("checkpoints are not copied", reason=str(error.strerror or error))
    async with database.reading() as tx:
        known = await read_state(tx, COPIES)
    if known is None or known["folder"] != str(folder):
        async with database.transaction() as tx:
            await write_state(tx, COPIES, {"since": system_now().isoformat(), "folder": str(folder)})


async def _catch_up(database: Database, folder: CheckpointFolder) -> None:
    """Copy what was signed and is not in the folder, and say so: after a crash that is one checkpoint a log."""
    async with database.reading() as tx:
        signed = await newest_checkpoints(tx)
    copies = await asyncio.to_thread(folder.newest)
    for log_id, (size, note) in signed.items():
        copied = size_in(copies[log_id]) if log_id in copies else 0
        if copied < size:
            _log.warning("a checkpoint was not copied", log=log_id, size=size, reason=f"the copy signs {copied}")
            await asyncio.to_thread(folder.write, log_id, size, note, system_now())
