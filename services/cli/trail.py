"""`doorstep trail`: checks the evidence trail from its database, without asking the services."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.audit.settings import AuditSettings
from services.audit.trail.checkpoints import verifier_of
from services.audit.trail.verify import TrailMissing, Verification, verify
from services.cli import trail_export
from services.cli.output import Exit, fail, out, print_json, progress
from services.cli.processes import DataOption, JsonOption, KeysOption

app = typer.Typer(no_args_is_help=True, help="The evidence trail.")
trail_export.register(app)


@app.command("verify")
def verify_trail(
    data: DataOption = None,
    keys_dir: KeysOption = None,
    against: Annotated[Path | None, typer.Option(help="a checkpoint kept elsewhere")] = None,
    as_json: JsonOption = False,
) -> None:
    """Re-derive every log from its entries; exit 1 and name log, index and kind where something is wrong."""
    settings = AuditSettings.load(
        **({"data_dir": data} if data else {}), **({"keys_dir": keys_dir} if keys_dir else {})
    )
    found = asyncio.run(verify_with_progress(settings, against.read_text() if against else None))
    if as_json:
        print_json(found.to_json())
    else:
        show(found)
    raise typer.Exit(Exit.DONE if found.ok else Exit.WRONG)


async def verify_with_progress(settings: AuditSettings, against: str | None = None) -> Verification:
    with progress() as bars:
        bar = bars.add_task("verifying the trail", total=None)
        try:
            return await verify(
                settings.database_url_of("audit"),
                verifiers=[verifier_of(settings)],
                origin=settings.trail_origin,
                against=against,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
            )
        except TrailMissing as missing:
            fail(Exit.MISSING, str(missing))


def show(found: Verification) -> None:
    for log in found.logs:
        verdict = "verified" if not log.problems else "WRONG"
        out.print(f"{log.log}: {log.size} entries, root {log.root[:16]}…, {verdict}", highlight=False)
        for problem in log.problems:
            out.print(f"  entry {problem.index}: {problem.kind}: {problem.detail}", style="red", highlight=False)
    out.print("The trail holds." if found.ok else "The trail does NOT hold: see above.")
