"""`doorstep trail restore`: goes back to an older backup, or on over entries that were never signed, on the record."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.audit.commands.reading import ask, settings_of
from services.audit.verification.restoring import Gap, Plan, plan_restoration, restore
from services.audit.verification.source import TrailDamaged, TrailMissing
from shared.cli.options import DataOption, JsonOption, KeysOption
from shared.cli.output import Exit, err, fail, out, print_json
from shared.runtime import Runtime


def register(app: typer.Typer) -> None:
    app.command("restore")(restore_trail)


def restore_trail(
    data: DataOption = None,
    keys_dir: KeysOption = None,
    bus_lost: Annotated[
        bool, typer.Option("--bus-lost", help="the topics were lost and made again: their offsets begin at 0")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a stopped system go on from this database, though newer checkpoints were copied elsewhere, or some of its
    entries were never signed. An entry `trail.restored` names what is lost."""

    async def look(runtime: Runtime) -> Plan:
        return await plan_restoration(runtime, bus_lost=bus_lost)

    async def go_on(runtime: Runtime) -> int:
        return await restore(runtime, plan)

    try:
        plan = ask(data, keys_dir, look)
    except (TrailMissing, TrailDamaged) as wrong:
        fail(Exit.MISSING, str(wrong))
    index = None
    if plan.needed:
        for line in _words(plan, str(settings_of(data, keys_dir).checkpoint_folder)):
            (err if as_json else out).print(line, markup=False, highlight=False, soft_wrap=True)
        if not yes and not typer.confirm("Write this into the trail and go on from here?", err=True):
            fail(Exit.WRONG, "Nothing was changed.")
        index = ask(data, keys_dir, go_on)
    if as_json:
        print_json({"restored": plan.needed, "entry": index, **asdict(plan)})
    elif index is None:
        out.print("Nothing to restore: the database and the copies of its checkpoints agree, and all is signed.")
    else:
        out.print(f"Done: entry {index} of the log operator (trail.restored) says so, and everything is signed.")


def _words(plan: Plan, folder: str) -> list[str]:
    lines = [line for gap in plan.gaps for line in _gap_in_words(gap)]
    if plan.copies_lost:
        lines.append(f"The folder of copied checkpoints begins again: {folder}")
    if plan.bus_lost:
        lines.append("The topics are taken from offset 0 again. Events that are here already are passed over.")
    return lines


def _gap_in_words(gap: Gap) -> list[str]:
    found = []
    if gap.lost_size is not None:
        found.append(
            f"{gap.log}: goes on from {gap.size} entries. {gap.lost_size} were signed, root {gap.lost_root}: what is "
            "behind is lost, unless the bus still has it."
        )
    if gap.unsigned_from is not None:
        found.append(
            f"{gap.log}: the entries from {gap.unsigned_from} on have no checkpoint. They are signed as they are."
        )
    return found
