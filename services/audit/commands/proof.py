"""`doorstep trail proof`: that an entry is in a log, or that a log only grew. Its one rule: what is printed was
verified before, by the way that others go: from the leaf's bytes to a root that is signed."""

from base64 import b64encode
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import select

from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.queries import checkpoint_note
from services.audit.attestations.tables import CHECKPOINT
from services.audit.commands.reading import ask
from services.audit.settings import AuditSettings
from services.audit.tlog.merkle import leaf_hash, verify_consistency, verify_inclusion
from services.audit.tlog.note import Checkpoint, NoteInvalid, open_note
from services.audit.trail.queries import consistency, inclusion
from services.audit.trail.tables import ENTRY, HEAD
from shared.cli.options import DataOption, JsonOption, KeysOption
from shared.cli.output import Exit, fail, print_json
from shared.database import Transaction
from shared.errors import Invalid, NotFound
from shared.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Proofs, verified before they are printed.")
LogOption = Annotated[str, typer.Option("--log", help="a lender's id, operator, or access")]


@app.command("inclusion")
def prove_inclusion(
    log: Annotated[str | None, typer.Option(help="a lender's id, operator, or access")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="the entry's place in the log")] = None,
    event_id: Annotated[UUID | None, typer.Option(help="or the event that it records")] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """That an entry is in the log, as of its newest checkpoint. As text it is a C2SP `.tlog-proof`."""
    if (index is None) == (event_id is None) or (index is not None and log is None):
        fail(Exit.USAGE, "Say which entry: --log LOG --index N, or --event-id ID.")

    async def prove(runtime: Runtime) -> dict[str, Any]:
        async with runtime.database.reading() as tx:
            name, at = (log, index) if event_id is None else await _place_of(tx, event_id, log)
            return await _inclusion(runtime, tx, name or "", at or 0)

    found = ask(data, keys_dir, prove)
    if as_json:
        print_json(found)
    else:
        typer.echo(_tlog_proof(found), nl=False)


@app.command("consistency")
def prove_consistency(
    log: LogOption,
    old_size: Annotated[int, typer.Option("--from", min=1, help="size of the older tree")],
    new_size: Annotated[int | None, typer.Option("--to", min=1, help="default: the newest checkpoint's")] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """That the newer tree of a log begins with the whole older one."""

    async def prove(runtime: Runtime) -> dict[str, Any]:
        async with runtime.database.reading() as tx:
            return await _consistency(runtime, tx, log, old_size, new_size)

    found = ask(data, keys_dir, prove)
    if as_json:
        print_json(found)
        return
    for which in ("old", "new"):
        signed = "signed by a kept checkpoint" if found[f"{which}_signed"] else "no checkpoint of this size is kept"
        typer.echo(f"{which} {found[f'{which}_size']} {_base64(found[f'{which}_root'])} ({signed})")
    for each in found["proof"]:
        typer.echo(_base64(each))


async def _place_of(tx: Transaction, event_id: UUID, log: str | None) -> tuple[str, int]:
    """Log and index of the entry that records an event. A log at a time: the index begins with the log."""
    names = [log] if log else list(await tx.session.scalars(select(HEAD.c.log_id).order_by(HEAD.c.log_id)))
    for name in names:
        statement = select(ENTRY.c.idx).where(ENTRY.c.log_id == name, ENTRY.c.event_id == str(event_id))
        index: int | None = await tx.session.scalar(statement)
        if index is not None:
            return name, index
    raise NotFound("entry-not-found", "No entry here records that event.")


async def _inclusion(runtime: Runtime, tx: Transaction, log: str, index: int) -> dict[str, Any]:
    note = await checkpoint_note(tx, log)
    signed = _opened(runtime, note)
    if index >= signed.size:
        told = f"The newest checkpoint of {log} signs {signed.size} entries: index < {signed.size}."
        raise Invalid("beyond-the-tree", told)
    proof = await inclusion(tx, log, index, signed.size)
    leaf: bytes | None = await tx.session.scalar(
        select(ENTRY.c.leaf).where(ENTRY.c.log_id == log, ENTRY.c.idx == index)
    )
    digest = leaf_hash(leaf or b"")
    if not verify_inclusion(index, signed.size, digest, [bytes.fromhex(each) for each in proof.proof], signed.root):
        fail(Exit.WRONG, f"Entry {index} of {log} does NOT lead to the signed root. Run `doorstep trail verify`.")
    return {
        "log": log,
        "index": index,
        "size": signed.size,
        "leaf": (leaf or b"").decode(),
        "leaf_hash": digest.hex(),
        "root": signed.root.hex(),
        "proof": proof.proof,
        "checkpoint": note,
        "verified": True,
    }


async def _consistency(
    runtime: Runtime, tx: Transaction, log: str, old_size: int, new_size: int | None
) -> dict[str, Any]:
    if new_size is None:
        new_size = _opened(runtime, await checkpoint_note(tx, log)).size
    found = await consistency(tx, log, old_size, new_size)
    roots = {old_size: bytes.fromhex(found.old_root), new_size: bytes.fromhex(found.new_root)}
    signed = {size: await _signed_root(runtime, tx, log, size) for size in roots}
    holds = all(signed[size] in (None, root) for size, root in roots.items()) and verify_consistency(
        old_size, new_size, roots[old_size], roots[new_size], [bytes.fromhex(each) for each in found.proof]
    )
    if not holds:
        fail(Exit.WRONG, f"{log} of {new_size} is NOT {log} of {old_size} and more. Run `doorstep trail verify`.")
    signs = {"old_signed": signed[old_size] is not None, "new_signed": signed[new_size] is not None}
    return {**found.model_dump(), **signs, "verified": True}


async def _signed_root(runtime: Runtime, tx: Transaction, log: str, size: int) -> bytes | None:
    """The root that a kept checkpoint of this size signs, if there is one."""
    statement = select(CHECKPOINT.c.note).where(CHECKPOINT.c.log_id == log, CHECKPOINT.c.size == size)
    note: str | None = await tx.session.scalar(statement)
    return None if note is None else _opened(runtime, note).root


def _opened(runtime: Runtime, note: str) -> Checkpoint:
    try:
        return Checkpoint.parse(open_note(note, verifier_of(AuditSettings.of(runtime.settings))))
    except NoteInvalid as invalid:
        fail(Exit.WRONG, f"A checkpoint here is not ours: {invalid.reason}. Run `doorstep trail verify`.")


def _tlog_proof(found: dict[str, Any]) -> str:
    lines = ["c2sp.org/tlog-proof@v1", f"index {found['index']}", *map(_base64, found["proof"])]
    return "\n".join(lines) + "\n\n" + str(found["checkpoint"])


def _base64(digest: str) -> str:
    return b64encode(bytes.fromhex(digest)).decode()
