"""`doorstep`: one program, a module a command group. Commands parse, call and show; nothing else."""

import sys

import typer

from services.cli import bus, contracts, demo, gate, plan, processes, trail
from services.cli.output import Exit, err
from shared.settings import SettingsRefused

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lawful field-visit debt collection: run it, try it, check it.",
)
processes.register(app)
demo.register(app)
contracts.register(app)
plan.register(app)
app.add_typer(bus.app, name="bus")
app.add_typer(trail.app, name="trail")
app.add_typer(gate.app, name="gate")


def main() -> None:
    """The console script."""
    try:
        app()
    except SettingsRefused as refused:
        err.print(str(refused), style="red", markup=False, highlight=False)
        sys.exit(Exit.USAGE)
