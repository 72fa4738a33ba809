"""How commands read the trail: straight from its database, so that they work while the services are down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from services.audit.settings import AuditSettings
from services.audit.worker import SERVICE
from services.cli.output import Exit, fail
from shared.errors import DomainError, ErrorKind
from shared.events.envelope import ActorRef
from shared.runtime import Runtime

OPERATOR = ActorRef("operator", "command-line")
STATUS = {ErrorKind.NOT_FOUND: Exit.MISSING, ErrorKind.INVALID: Exit.USAGE}
Answer = TypeVar("Answer")


def settings_of(data: Path | None, keys_dir: Path | None) -> AuditSettings:
    given = {"data_dir": data, "keys_dir": keys_dir}
    return AuditSettings.load(**{name: value for name, value in given.items() if value})


def ask(data: Path | None, keys_dir: Path | None, act: Callable[[Runtime], Awaitable[Answer]]) -> Answer:
    """What `act` finds out about the trail. Ends the command, in plain words, where it cannot."""

    async def run() -> Answer:
        async with opened(settings_of(data, keys_dir)) as runtime:
            return await act(runtime)

    try:
        return asyncio.run(run())
    except DomainError as refused:
        fail(STATUS.get(refused.kind, Exit.WRONG), refused.detail)
    except (SQLAlchemyError, OSError) as error:
        fail(
            Exit.MISSING,
            f"The trail cannot be read ({type(error).__name__}). Is its database there, and migrated? "
            "`doorstep migrate audit` brings it to the newest schema.",
        )


@asynccontextmanager
async def opened(settings: AuditSettings) -> AsyncIterator[Runtime]:
    """Audit's database, as its settings name it; the bus is not asked."""
    if settings.database_url is None and not (settings.data_dir / "audit.sqlite3").exists():
        fail(Exit.MISSING, f"There is no audit.sqlite3 in {settings.data_dir}. Name the data folder with --data.")
    runtime = Runtime(SERVICE, settings)
    try:
        yield runtime
    finally:
        await runtime.close()
