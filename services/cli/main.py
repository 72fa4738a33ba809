"""`doorstep`: one program, a module a command group. Commands parse, call and show; nothing else.

A command's module is imported when it is called: to check an export nobody waits for four services to load.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_group

from services.cli.errors import end_by
from services.cli.variables import unknown_variables
from shared.cli.output import err
from shared.private_files import keep_private

MODULES = {
    "up": "services.cli.processes",
    "serve": "services.cli.processes",
    "migrate": "services.cli.processes",
    "token": "services.cli.processes",
    "backup": "services.cli.backup",
    "keys": "services.cli.keys",
    "demo": "services.cli.demo",
    "plan": "services.cli.plan",
    "gate": "services.cli.gate",
    "trail": "services.audit.commands.trail",
    "ledger": "services.cli.ledger",
    "bus": "services.cli.bus",
    "openapi": "services.cli.contracts",
    "asyncapi": "services.cli.contracts",
}


class ByModule(TyperGroup):
    """The commands, each from its module."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in MODULES:
            return None
        group = typer.Typer(callback=lambda: None)
        import_module(MODULES[cmd_name]).register(group)
        return get_group(group).commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        """An error that a command does not know how to end by ends it here, in a sentence."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except Exception as error:
            end_by(error)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("doorstep"))
        raise typer.Exit


app = typer.Typer(
    cls=ByModule,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lawful field-visit debt collection: run it, try it, check it.",
)


@app.callback()
def begin(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="print the release")
    ] = False,
) -> None:
    """Before any command."""
    for sentence in unknown_variables():
        err.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """The console script."""
    keep_private()
    app()
