"""`doorstep trail`: checks the evidence trail from its database, without asking the services."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.audit.attestations.copies import notes_in
from services.audit.attestations.timestamps import authority_of
from services.audit.commands import export, proof, restore, status
from services.audit.commands.reading import settings_of, verifier
from services.audit.settings import AuditSettings
from services.audit.tlog.note import NoteInvalid, Verifier
from services.audit.verification.copies import copies_to_check
from services.audit.verification.domain import Verification
from services.audit.verification.signatures import ForeignCheckpoint
from services.audit.verification.source import TrailDamaged, TrailMissing
from services.audit.verification.verify import verify
from shared.cli.options import DataOption, JsonOption, KeysOption
from shared.cli.output import Exit, fail, out, print_json, progress

app = typer.Typer(no_args_is_help=True, help="The evidence trail.")
export.register(app)
status.register(app)
restore.register(app)
app.add_typer(proof.app, name="proof")


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="trail")


@app.command("verify")
def verify_trail(
    data: DataOption = None,
    keys_dir: KeysOption = None,
    against: Annotated[
        Path | None,
        typer.Option(help="a checkpoint kept elsewhere, or a folder of them; the copies are checked anyway"),
    ] = None,
    vkey: Annotated[
        list[str] | None,
        typer.Option(help="a key that was published, or a file with it, in place of that in the keys' folder"),
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="default: one a core")] = None,
    leaves_only: Annotated[
        bool, typer.Option("--leaves-only", help="derive the trees, but read no leaf and compare no column: quicker")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Re-derive every log from its entries; exit 1 and name log, index and kind where something is wrong."""
    settings = settings_of(data, keys_dir)
    kept, verifiers = _kept(against), _verifiers(settings, vkey or [])
    found = asyncio.run(
        verify_with_progress(settings, kept, verifiers=verifiers, processes=processes, leaves_only=leaves_only)
    )
    if as_json:
        print_json(found.to_json())
    else:
        show(found)
    raise typer.Exit(Exit.DONE if found.ok else Exit.WRONG)


def _verifiers(settings: AuditSettings, vkeys: list[str]) -> list[Verifier]:
    """The keys that count: those that were named, else ours. A key is never made here: nothing verifies under it."""
    try:
        named = [Path(each).read_text().strip() if Path(each).is_file() else each for each in vkeys]
        found = [Verifier.parse(each) for each in named]
    except (NoteInvalid, OSError, UnicodeDecodeError) as error:
        fail(Exit.USAGE, f"--vkey: this is no verifier key ({error}). It has the form NAME+ID+KEY.")
    return found or [verifier(settings)]


def _kept(path: Path | None) -> list[str]:
    """The checkpoints that a reader kept."""
    try:
        kept = notes_in(path) if path is not None else []
    except (OSError, UnicodeDecodeError) as error:
        fail(Exit.USAGE, f"--against {path}: no checkpoint can be read there ({type(error).__name__})")
    if path is not None and not kept:
        fail(Exit.USAGE, f"--against {path}: there is no checkpoint in this folder")
    return kept


async def verify_with_progress(
    settings: AuditSettings,
    against: Sequence[str] = (),
    *,
    verifiers: Sequence[Verifier] | None = None,
    processes: int | None = None,
    leaves_only: bool = False,
) -> Verification:
    known = verifiers or [verifier(settings)]
    with progress() as bars:
        bar = bars.add_task("verifying the trail", total=None)
        try:
            copies = copies_to_check(settings)
            return await verify(
                settings.database_url_of("audit"),
                verifiers=known,
                origin=settings.trail_origin,
                against=[*copies.pop("against"), *against],
                authority=authority_of(settings),
                processes=processes,
                leaves_only=leaves_only,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
                **copies,
            )
        except OSError as error:
            fail(Exit.MISSING, f"{settings.checkpoint_folder} cannot be read ({type(error).__name__}).")
        except TrailMissing as missing:
            fail(Exit.MISSING, str(missing))
        except TrailDamaged as damaged:
            fail(Exit.WRONG, str(damaged))
        except ForeignCheckpoint as foreign:
            fail(Exit.USAGE, f"--against: {foreign}")


def show(found: Verification) -> None:
    for log in found.logs:
        verdict = "verified" if not log.problems else "WRONG"
        out.print(f"{log.log}: {log.size} entries, root {log.root[:16]}…, {verdict}", highlight=False)
        for problem in log.problems:
            out.print(f"  entry {problem.index}: {problem.kind}: {problem.detail}", style="red", highlight=False)
    for note in found.notes:
        out.print(note, highlight=False, soft_wrap=True)
    for vkey in found.vkeys:
        out.print(f"verified under the key {vkey}", highlight=False, soft_wrap=True)
    out.print("The trail holds." if found.ok else "The trail does NOT hold: see above.")
