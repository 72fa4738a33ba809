"""Sections of logs, dealt out to processes of their own: hashing and comparing a million leaves is work for more than
one core, and never for the event loop of a service.

Its one rule: a process is given all it needs on its standard input and answers in lines of JSON, so that it imports
little, knows no settings and shares nothing; no password stands in its arguments.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from services.audit.tlog.note import Verifier
from services.audit.verification.domain import Verification
from services.audit.verification.scan import Scanned, Section, scan
from services.audit.verification.source import Source

LINE_BYTES_MAX = 1 << 28
CHILD = "services.audit.verification.child"
WHOLE = "services.audit.verification.whole"

Progress = Callable[[int], object]


class ProcessDied(Exception):
    """A process of the verification ended without its answer; its standard error says why."""


async def scan_all(
    source: Source, url: str, sections: Sequence[Section], vkeys: Sequence[str], *, processes: int, progress: Progress
) -> list[Scanned]:
    """Scan every section, each in one of so many processes, the largest first; a single process is this one."""
    if processes <= 1 or len(sections) <= 1:
        verifiers = [Verifier.parse(vkey) for vkey in vkeys]
        return [await scan(source, section, verifiers, progress) for section in sections]
    waiting = sorted(enumerate(sections), key=lambda each: each[1].stop - each[1].start)
    found: list[Scanned | None] = [None] * len(sections)
    hello = {"url": url, "snapshot": source.snapshot, "vkeys": list(vkeys)}

    async def work() -> None:
        process = await start_child(CHILD)
        try:
            await _tell(process, hello)
            while waiting:
                number, section = waiting.pop()
                await _tell(process, asdict(section))
                found[number] = Scanned.from_json(await answer(process, progress))
        finally:
            await end_child(process)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(processes, len(sections))):
            group.create_task(work())
    return [each for each in found if each is not None]


async def verify_in_process(
    url: str,
    *,
    vkeys: Sequence[str],
    origin: str,
    against: Sequence[str],
    processes: int,
    copies_in: str | None = None,
    copies_expected: bool = False,
) -> Verification:
    """The whole verification in a process of its own, behind all other work. Raises ProcessDied."""
    process = await start_child(WHOLE)
    try:
        how = {"origin": origin, "against": list(against), "processes": processes}
        how |= {"copies_in": copies_in, "copies_expected": copies_expected}
        await _tell(process, {"url": url, "vkeys": list(vkeys), **how})
        said = await answer(process, lambda _count: None)
    finally:
        await end_child(process)
    if "error" in said:
        raise ProcessDied(said["error"])
    return Verification.from_json(said)


async def start_child(module: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES_MAX
    )


async def end_child(process: Process) -> None:
    """Close its input, upon which it ends; kill it if it is in the middle of something."""
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        await process.wait()
        raise


async def _tell(process: Process, document: dict[str, Any]) -> None:
    if process.stdin is None:
        raise ProcessDied("the process has no standard input")
    process.stdin.write(json.dumps(document).encode() + b"\n")
    await process.stdin.drain()


async def answer(process: Process, progress: Progress) -> Any:
    """What the process answers; progress is passed on. Raises ProcessDied."""
    while process.stdout and (line := await process.stdout.readline()):
        said = json.loads(line)
        if "answer" in said:
            return said["answer"]
        progress(said["done"])
    raise ProcessDied(f"a process of the verification ended with status {await process.wait()}: see its messages above")
