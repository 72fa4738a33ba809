"""From a plan to the file: reads the trail page by page and writes entries, proofs, statements and reports. Its one
rule: memory holds one page of entries and one line a report has for each, and what takes CPU runs in a thread."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from services.audit.attestations.checkpoints import signer_of
from services.audit.export import domain, queries
from services.audit.export.domain import TrailDoesNotHold
from services.audit.export.outside.verify import Wrong, check
from services.audit.export.package import Package
from services.audit.export.queries import LogPart, Plan
from services.audit.export.report import LANGUAGES, Line, line_of, render
from services.audit.settings import AuditSettings
from services.audit.tlog.leaf import instant
from services.audit.tlog.merkle import Get, inclusion_proof
from services.audit.tlog.note import Signer, sign
from shared.database import Database

PAGE_ENTRIES = 200
OUTSIDE = Path(__file__).with_name("outside")
# What an auditor needs beside the data, as it stands in our source.
SHIPPED = ("VERIFY.md", "verify.py", "go/go.mod", "go/go.sum", "go/verify.go", "go/archive.go", "go/strict.go")

Progress = Callable[[int, int], object]


async def write_export(
    database: Database,
    plan: Plan,
    file: IO[bytes],
    settings: AuditSettings,
    progress: Progress = lambda done, total: None,
) -> str:
    """Write the whole export of a plan, and check it as those will who get it: what does not hold is not given out.
    Returns the SHA-256 of its manifest. Raises TooLarge, TrailDoesNotHold."""
    signer = signer_of(settings)
    package = Package(file)
    try:
        digest = await _write_all(database, plan, package, signer, progress)
    finally:
        package.let_go()  # while the caller still has the file open
    await asyncio.to_thread(_check, file, signer)
    return digest


async def _write_all(database: Database, plan: Plan, package: Package, signer: Signer, progress: Progress) -> str:
    await asyncio.to_thread(_begin, package, signer, plan)
    async with database.reading() as tx:
        zone = await queries.zone_of_plan(tx, plan)
    lines: list[Line] = []
    for part in plan.parts:
        size = part.checkpoint.size
        for first in range(0, len(part.indexes), PAGE_ENTRIES):
            indexes = part.indexes[first : first + PAGE_ENTRIES]
            async with database.reading() as tx:
                entries, get = await queries.load_entries(tx, part.log, indexes, size)
            lines += await asyncio.to_thread(_write_entries, package, part, entries, get, zone)
            progress(len(lines), plan.entries)
    return await asyncio.to_thread(_finish, package, signer, plan, lines, zone)


def _begin(package: Package, signer: Signer, plan: Plan) -> None:
    for name in SHIPPED:
        package.add(name, (OUTSIDE / name).read_bytes())
    package.add("vkey", (signer.verifier.vkey + "\n").encode())
    for part in plan.parts:
        folder, signed = f"logs/{part.log}", part.signed
        package.add(f"{folder}/checkpoint", signed.note.encode())
        if signed.witnesses:
            package.add(f"{folder}/witnesses", "".join(f"{vkey}\n" for vkey in signed.witnesses).encode())
        if signed.stamp is not None:
            package.add(f"{folder}/checkpoint.tsr", signed.stamp)
        if plan.refs:
            tree = part.checkpoint
            text = domain.subjects_text(tree.origin, tree.size, tree.root, part.counts)
            package.add(f"{folder}/subjects.note", sign(text, signer).encode())


def _write_entries(
    package: Package, part: LogPart, entries: Sequence[tuple[int, bytes]], get: Get, zone: ZoneInfo
) -> list[Line]:
    lines, size = [], part.checkpoint.size
    for index, leaf in entries:
        try:
            proof = inclusion_proof(index, size, get)
        except ValueError as error:
            raise TrailDoesNotHold(f"the tree of {part.log} cannot be put together ({error})") from error
        package.add(f"logs/{part.log}/entries/{index}.json", leaf)
        package.add(f"logs/{part.log}/proofs/{index}.tlog-proof", domain.tlog_proof(index, proof, part.signed.note))
        lines.append(line_of(part.log, index, leaf, zone))
    return lines


def _finish(package: Package, signer: Signer, plan: Plan, lines: Sequence[Line], zone: ZoneInfo) -> str:
    for language in LANGUAGES:
        package.add(f"report.{language}.html", render(plan, lines, signer.verifier.vkey, zone, language))
    document = {
        "made_at": instant(plan.made_at),
        "query": plan.question.to_json(),
        "subjects": plan.refs,
        "vkey": signer.verifier.vkey,
        "logs": [
            {
                "log": part.log,
                "origin": part.checkpoint.origin,
                "size": part.checkpoint.size,
                "entries": len(part.indexes),
            }
            for part in plan.parts
        ],
    }
    return package.close(document, signer)


def _check(file: IO[bytes], signer: Signer) -> None:
    try:
        check(file, signer.verifier.vkey)
    except Wrong as wrong:
        raise TrailDoesNotHold(str(wrong)) from wrong
