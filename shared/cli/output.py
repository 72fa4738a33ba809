"""How commands speak: plain words and tables on standard output, progress on standard error; with --json one
document on standard output and nothing else there."""

import json
from enum import IntEnum
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

out = Console()
err = Console(stderr=True)


class Exit(IntEnum):
    """Exit statuses: done and true · a check found something wrong · wrong use · something needed is not there."""

    DONE = 0
    WRONG = 1
    USAGE = 2
    MISSING = 3


def fail(status: Exit, message: str) -> NoReturn:
    """End the command with a sentence that says what to do."""
    err.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1))


def progress() -> Progress:
    """Bars on standard error."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )
