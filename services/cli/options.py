"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[Path | None, typer.Option("--data", help="folder of the embedded form's data")]
KeysOption = Annotated[Path | None, typer.Option("--keys", help="folder of the keys; default: in the data folder")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
