"""Commands that print the contracts: the OpenAPI document of a service."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from services.cli.output import print_json
from services.cli.processes import part_of
from shared.runtime import Runtime


def register(app: typer.Typer) -> None:
    app.command()(openapi)


def openapi(service: Annotated[str, typer.Argument(help="cases, visits, followup or audit")]) -> None:
    """The OpenAPI document of a service."""
    part = part_of(service)
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(part.service, part.settings.load(data_dir=Path(folder)))
        print_json(part.create_app(runtime).openapi())
