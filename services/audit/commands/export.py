"""`doorstep trail export` and `verify-export`: a package of the trail for a court, and whether one holds. The first
reads the database itself, so it works while the services are down; that a package was taken out waits in audit's
outbox then, and the trail has it once its worker runs."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from services.audit.commands.reading import OPERATOR, STATUS, settings_of
from services.audit.export import queries, usecases
from services.audit.export.domain import Question, question_of
from services.audit.export.outside.verify import Wrong, check
from services.audit.export.writing import write_export
from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from shared.cli.documents import text_of
from shared.cli.opening import opened
from shared.cli.options import DataOption, JsonOption, KeysOption
from shared.cli.output import Exit, fail, out, print_json, progress
from shared.database import Context
from shared.errors import DomainError
from shared.ids import new_id


def register(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("verify-export")(verify_export)


def export(
    file: Annotated[Path, typer.Option("--out", help="the ZIP file to write")],
    case: Annotated[UUID | None, typer.Option(help="all about a case")] = None,
    debtor: Annotated[UUID | None, typer.Option(help="all about a debtor and his cases")] = None,
    visit: Annotated[UUID | None, typer.Option(help="all about a visit")] = None,
    log: Annotated[str | None, typer.Option(help="a piece of this log, with --from and --until")] = None,
    start: Annotated[int | None, typer.Option("--from", min=0, help="first entry")] = None,
    stop: Annotated[int | None, typer.Option("--until", min=0, help="the entry after the last one")] = None,
    as_of: Annotated[
        list[str] | None, typer.Option(help="LOG=SIZE, as an earlier export names it: the same bytes again")
    ] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all entries about something, with their proofs, into a ZIP file that anyone can check. The trail keeps
    that it was written, and its digest."""
    if file.exists():
        fail(Exit.USAGE, f"{file} is there already: name another file with --out")
    if not file.parent.is_dir():
        fail(Exit.MISSING, f"{file.parent} is no folder: name a file in a folder that is there with --out")
    settings = settings_of(data, keys_dir)
    try:
        question = question_of(case_id=case, debtor_id=debtor, visit_id=visit, log=log, start=start, stop=stop)
        made = asyncio.run(_export(settings, question, _sizes(as_of or []), file))
    except DomainError as refused:
        fail(STATUS.get(refused.kind, Exit.WRONG), refused.detail)
    if as_json:
        print_json(made)
    else:
        out.print(f"{file}: {made['entries']} entries, {made['bytes']} bytes.", highlight=False, soft_wrap=True)
        out.print(f"SHA-256 of its manifest: {made['manifest_digest']}", highlight=False, soft_wrap=True)
        out.print("The trail keeps that it was made: at once where the system runs, else at its next start.")


def _sizes(pairs: list[str]) -> dict[str, int]:
    sizes = {}
    for pair in pairs:
        log, _, size = pair.partition("=")
        if not log or not size.isdecimal():
            fail(Exit.USAGE, f"--as-of {pair}: write LOG=SIZE, such as lender-1=532")
        sizes[log] = int(size)
    return sizes


async def _export(
    settings: AuditSettings, question: Question, as_of: Mapping[str, int], target: Path
) -> dict[str, Any]:
    """Write the file beside its place, record it, and only then put it there."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    async with AsyncExitStack() as stack:
        database = (await stack.enter_async_context(opened(SERVICE, settings))).database
        stack.callback(unfinished.unlink, missing_ok=True)
        async with database.reading() as tx:
            plan = await queries.plan(tx, question, as_of)
        with progress() as bars, unfinished.open("w+b") as file:
            bar = bars.add_task("exporting", total=plan.entries)
            manifest_digest = await write_export(
                database, plan, file, settings, lambda done, total: bars.update(bar, completed=done, total=total)
            )
            file.flush()
            os.fsync(file.fileno())
            file_bytes = file.seek(0, os.SEEK_END)
            file.seek(0)
            file_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        digests = {"manifest_digest": manifest_digest, "file_sha256": file_sha256}
        async with database.transaction(Context(actor=OPERATOR, correlation_id=str(new_id()))) as tx:
            export_id = await usecases.record_export(tx, plan, file_bytes=file_bytes, **digests)
        unfinished.replace(target)
    found = {"id": str(export_id), "file": str(target), "bytes": file_bytes, "entries": plan.entries}
    return {**found, "sizes": plan.sizes, **digests}


def verify_export(
    file: Annotated[Path, typer.Argument(help="the ZIP file of an export")],
    vkey: Annotated[str | None, typer.Option(help="the key that the deployment publishes, or a file with it")] = None,
    witness: Annotated[list[str] | None, typer.Option(help="key of a witness that must have signed, too")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an export as its own verify.py does, with our copy of it. Exit 1 and name what is wrong."""
    if vkey is not None and Path(vkey).is_file():
        vkey = text_of(Path(vkey)).strip()
    try:
        with file.open("rb") as package:
            found = check(package, vkey, witness or ())
    except OSError as error:
        fail(Exit.MISSING, f"{file} cannot be read: {error.strerror}")
    except Wrong as wrong:
        if as_json:
            problem = {"kind": wrong.kind, "place": wrong.place, "detail": wrong.detail}
            print_json({"ok": False, "problem": problem, "checked": [], "notes": []})
            raise typer.Exit(Exit.WRONG) from None
        out.print(f"WRONG ({wrong.kind}) {wrong}", style="red", markup=False, highlight=False, soft_wrap=True)
        out.print("Do not rely on this file.")
        raise typer.Exit(Exit.WRONG) from None
    if as_json:
        print_json({"ok": True, "problem": None, "checked": found.statements, "notes": found.warnings})
        return
    for line in [*found.statements, *(f"NOTE {warning}" for warning in found.warnings)]:
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    out.print("Everything above was checked and holds.")
