"""`doorstep trail`: checks the evidence trail from its database, without asking the services."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.audit.settings import AuditSettings
from services.audit.trail.copies import notes_in
from services.audit.trail.timestamps import authority_of
from services.audit.verification.domain import Verification
from services.audit.verification.signatures import ForeignCheckpoint
from services.audit.verification.source import TrailDamaged, TrailMissing
from services.audit.verification.verify import verify
from services.cli import trail_export, trail_proof, trail_status
from services.cli.options import DataOption, JsonOption, KeysOption
from services.cli.output import Exit, fail, out, print_json, progress
from services.cli.trail_reading import settings_of, verifier

app = typer.Typer(no_args_is_help=True, help="The evidence trail.")
trail_export.register(app)
trail_status.register(app)
app.add_typer(trail_proof.app, name="proof")


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="trail")


@app.command("verify")
def verify_trail(
    data: DataOption = None,
    keys_dir: KeysOption = None,
    against: Annotated[
        Path | None, typer.Option(help="a checkpoint kept elsewhere, or a folder of them (DOORSTEP_CHECKPOINT_DIR)")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="default: one a core")] = None,
    leaves_only: Annotated[
        bool, typer.Option("--leaves-only", help="derive the trees, but read no leaf and compare no column: quicker")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Re-derive every log from its entries; exit 1 and name log, index and kind where something is wrong."""
    settings = settings_of(data, keys_dir)
    found = asyncio.run(verify_with_progress(settings, _kept(against), processes=processes, leaves_only=leaves_only))
    if as_json:
        print_json(found.to_json())
    else:
        show(found)
    raise typer.Exit(Exit.DONE if found.ok else Exit.WRONG)


def _kept(path: Path | None) -> list[str]:
    """The checkpoints that somebody kept."""
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
    processes: int | None = None,
    leaves_only: bool = False,
) -> Verification:
    ours = verifier(settings)
    with progress() as bars:
        bar = bars.add_task("verifying the trail", total=None)
        try:
            return await verify(
                settings.database_url_of("audit"),
                verifiers=[ours],
                origin=settings.trail_origin,
                against=against,
                authority=authority_of(settings),
                processes=processes,
                leaves_only=leaves_only,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
            )
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
    out.print("The trail holds." if found.ok else "The trail does NOT hold: see above.")
