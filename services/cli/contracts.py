"""Commands that print the contracts: the OpenAPI document of a service, the AsyncAPI document of the events."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
import yaml

from services.cli.processes import part_of
from services.embedded import PARTS
from shared.cli.options import JsonOption
from shared.cli.output import print_json
from shared.events.asyncapi import document as build_asyncapi
from shared.events.registry import EVENTS
from shared.runtime import Runtime


def register(app: typer.Typer) -> None:
    app.command()(openapi)
    app.command()(asyncapi)


def openapi(service: Annotated[str, typer.Argument(help="cases, visits, followup or audit")]) -> None:
    """The OpenAPI document of a service."""
    part = part_of(service)
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(part.service, part.settings.load(data_dir=Path(folder)))
        print_json(part.create_app(runtime).openapi())


def asyncapi(as_json: JsonOption = False) -> None:
    """The AsyncAPI document of all events."""
    document = build_asyncapi(listeners())
    if as_json:
        print_json(document)
    else:
        typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120), nl=False)


def listeners() -> dict[str, list[str]]:
    """Which services handle each event type. audit takes every one."""
    return {
        wire_type: [name for name, part in PARTS.items() if name == "audit" or event in part.service.handles]
        for wire_type, event in EVENTS.items()
    }
