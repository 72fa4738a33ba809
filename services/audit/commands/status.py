"""`doorstep trail status`, `checkpoint` and `watch`: the trail's state, its signed checkpoint, its new entries."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Annotated

import typer

from services.audit.attestations.queries import checkpoint_note
from services.audit.commands.reading import OPERATOR, ask, settings_of, verifier
from services.audit.status import queries, watch
from services.audit.status.schemas import LogStatus, NewCheckpoint, NewEntry, TrailStatus
from services.audit.status.watch import LOOK_AGAIN_SECONDS, Place
from services.audit.tlog.note import Checkpoint, NoteInvalid, open_note
from shared.bus.transport import TransportDown
from shared.cli.options import DataOption, JsonOption, KeysOption
from shared.cli.output import Exit, err, fail, out, print_json
from shared.database import AWAY, Context
from shared.runtime import Runtime


def register(app: typer.Typer) -> None:
    app.command("status")(show_status)
    app.command("checkpoint")(show_checkpoint)
    app.command("watch")(watch_trail)


def show_status(data: DataOption = None, keys_dir: KeysOption = None, as_json: JsonOption = False) -> None:
    """Each log with its newest checkpoint, and who vouches for it. Exit 1 when a person should look."""

    async def look(runtime: Runtime) -> TrailStatus:
        with contextlib.suppress(TransportDown):  # which the status then tells
            await runtime.transport.start()
        async with runtime.database.reading() as tx:
            return await queries.trail_status(runtime, tx)

    found = ask(data, keys_dir, look)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)
    raise typer.Exit(Exit.DONE if found.well else Exit.WRONG)


def _show(found: TrailStatus) -> None:
    if found.halted:
        _line(f"HALTED until a person has looked: {found.halted}", style="red")
    for problem in found.problems:
        _line(problem, style="red")
    names = ", ".join(found.witnesses) or "none are set"
    quorum = f", quorum {found.quorum}, fail {found.witness_fail}" if found.witnesses else ""
    _line(f"witnesses: {names}{quorum}")
    _line(f"time stamps: {found.time_authority or 'no authority is set'}")
    _line(f"copies of checkpoints: {found.checkpoint_dir or 'none are kept yet'}")
    waiting = "the bus does not answer" if found.waiting is None else found.waiting or "nothing"
    _line(f"waiting to be sequenced: {waiting}")
    verified = found.last_verification
    if verified is None:
        _line("verified: not yet")
    else:
        what = "it holds" if verified.ok else verified.error or "it does NOT hold: `doorstep trail verify`"
        _line(
            f"verified {verified.started_at.isoformat(timespec='seconds')}: {what}",
            style=None if verified.ok else "red",
        )
    for log in found.logs:
        _show_log(log, len(found.witnesses))
    _line("All is well." if found.well else "A person should look: see above.")


def _show_log(log: LogStatus, witnesses: int) -> None:
    age = "" if log.checkpoint_age_seconds is None else f", {log.checkpoint_age_seconds:.0f} s old"
    parts = [f"checkpoint of {log.checkpoint_size}{age}" if log.checkpoint_size else "no checkpoint yet"]
    if log.quorum is not None:
        parts.append(f"{len(log.cosigned)} of {witnesses} witnesses, {'quorum' if log.quorum else 'NO quorum'}")
    if log.stamped_at is not None:
        parts.append(f"{log.stamped_size} stamped {log.stamped_at.isoformat(timespec='seconds')}")
    if log.copied_size is not None:
        parts.append(f"{log.copied_size} copied")
    _line(f"{log.log}: {log.size} entries, root {log.root[:16]}…; {'; '.join(parts)}", style="bold")
    for problem in log.problems:
        _line(f"  {problem}", style="red")


def _line(text: str, style: str | None = None) -> None:
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def show_checkpoint(
    log: Annotated[str, typer.Option(help="a lender's id, operator, or access")],
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the newest checkpoint of a log as it is, a C2SP signed note: keep it elsewhere, for `verify --against`."""

    async def look(runtime: Runtime) -> str:
        async with runtime.database.reading() as tx:
            return await checkpoint_note(tx, log)

    note = ask(data, keys_dir, look)
    ours = verifier(settings_of(data, keys_dir))
    try:
        signed = Checkpoint.parse(open_note(note, ours))
    except NoteInvalid as invalid:
        fail(Exit.WRONG, f"The newest checkpoint of {log} is not ours: {invalid.reason}.")
    if as_json:
        told = {"log": log, "origin": signed.origin, "size": signed.size, "root": signed.root.hex()}
        print_json({**told, "vkey": ours.vkey, "note": note})
    else:
        typer.echo(note, nl=False)


def watch_trail(
    log: Annotated[list[str] | None, typer.Option(help="only this log; may be given more than once")] = None,
    start: Annotated[
        list[str] | None, typer.Option("--from", metavar="LOG:INDEX", help="go on from there; default: from now on")
    ] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document a line")] = False,
) -> None:
    """New entries and checkpoints, as they come, until Ctrl-C; then it says how to go on from there. The trail records
    that it was watched."""
    wanted = {**dict.fromkeys(log or []), **_places(start or [])}
    place = Place({})

    async def follow(runtime: Runtime) -> None:
        nonlocal place
        async with runtime.database.transaction(Context(actor=OPERATOR)) as tx:
            place = await watch.begin(tx, wanted, every_log=not log)
        await _follow(runtime, place, every_log=not log, as_json=as_json)

    try:
        ask(data, keys_dir, follow)
    except KeyboardInterrupt:
        again = " ".join(f"--from {name}:{index}" for name, index in sorted(place.entries.items()))
        err.print(f"To go on from here: doorstep trail watch {again}", markup=False, highlight=False, soft_wrap=True)


def _places(texts: list[str]) -> Mapping[str, int]:
    found = {}
    for text in texts:
        name, _, index = text.rpartition(":")
        if not name or not index.isdecimal():
            fail(Exit.USAGE, f"--from {text}: write LOG:INDEX, such as --from operator:17")
        found[name] = int(index)
    return found


async def _follow(runtime: Runtime, place: Place, *, every_log: bool, as_json: bool) -> None:
    """Print what comes; a database that is away for a while only makes it wait."""
    away = False
    while True:
        found: list[NewEntry | NewCheckpoint] = []
        try:
            async with runtime.database.reading() as tx:
                found = await watch.news(tx, place, every_log=every_log)
            away = False
        except AWAY:
            if not away:
                err.print("The database is away; going on as soon as it is back.")
            away = True
        for item in found:
            kind = "entry" if isinstance(item, NewEntry) else "checkpoint"
            typer.echo(f'{{"kind":"{kind}",{item.model_dump_json()[1:]}' if as_json else _in_words(item))
        await asyncio.sleep(0 if found else LOOK_AGAIN_SECONDS)


def _in_words(item: NewEntry | NewCheckpoint) -> str:
    if isinstance(item, NewCheckpoint):
        cosigners = item.note.rstrip("\n").rpartition("\n\n")[2].count("\n")
        at = item.made_at.isoformat(timespec="seconds")
        return f"{at} {item.log}: checkpoint of {item.size} entries" + (f", {cosigners} cosigned" if cosigners else "")
    case = f", case {item.case_id}" if item.case_id else ""
    at = item.recorded_at.isoformat(timespec="seconds")
    return f"{at} {item.log}:{item.index} {item.type} {item.outcome} by {item.actor}{case}"
