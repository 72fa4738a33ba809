"""`doorstep`: one program, a module a command group. Commands parse, call and show; nothing else.

A command's module is imported when it is called: to check an export nobody waits for four services to load.
"""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from services.cli.output import Exit, err
from shared.private_files import keep_private
from shared.settings import SettingsRefused

MODULES = {
    "up": "processes",
    "serve": "processes",
    "migrate": "processes",
    "token": "processes",
    "backup": "backup",
    "demo": "demo",
    "plan": "plan",
    "gate": "gate",
    "trail": "trail",
    "bus": "bus",
    "openapi": "contracts",
    "asyncapi": "contracts",
}


class ByModule(TyperGroup):
    """The commands, each from its module."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in MODULES:
            return None
        group = typer.Typer(callback=lambda: None)
        import_module(f"services.cli.{MODULES[cmd_name]}").register(group)
        return get_group(group).commands[cmd_name]


app = typer.Typer(
    cls=ByModule,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    callback=lambda: None,
    help="Lawful field-visit debt collection: run it, try it, check it.",
)


def main() -> None:
    """The console script."""
    keep_private()
    try:
        app()
    except SettingsRefused as refused:
        err.print(str(refused), style="red", markup=False, highlight=False)
        sys.exit(Exit.USAGE)
