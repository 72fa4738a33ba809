"""How a command acts on one service, or on all of them: on each database in turn, as the service's own settings name
it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from services.cli.processes import part_of
from services.embedded import PARTS
from shared.bus.kafka.topics import TopicsWrong
from shared.cli.opening import opened
from shared.cli.output import Exit, fail
from shared.errors import DomainError
from shared.runtime import Runtime

Answer = TypeVar("Answer")
ServiceArgument = Annotated[str | None, typer.Argument(help="cases, visits, followup or audit; default: all of them")]


def for_each(
    service: str | None, settings: dict[str, Any], act: Callable[[Runtime], Awaitable[Answer]]
) -> list[Answer]:
    """The answers of the service, or of all of them where it is None. `settings`: those that the command line gives.
    A refusal ends the command."""

    async def run() -> list[Answer]:
        answers = []
        for part in [part_of(service)] if service else PARTS.values():
            async with opened(part.service, part.settings.load(**settings)) as runtime:
                answers.append(await act(runtime))
        return answers

    try:
        return asyncio.run(run())
    except (DomainError, TopicsWrong) as refused:
        fail(Exit.WRONG, str(refused))
