"""Options that many commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

DataOption = Annotated[Path | None, typer.Option("--data", help="folder of the embedded form's data")]
KeysOption = Annotated[Path | None, typer.Option("--keys", help="folder of the keys; default: in the data folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]


def given(**options: Any) -> dict[str, Any]:
    """The options that were written; settings count for the others."""
    return {name: value for name, value in options.items() if value is not None}
