"""How commands read the trail: straight from its database, so that they work while the services are down."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from services.audit.attestations.checkpoints import verifier_of
from services.audit.settings import AuditSettings
from services.audit.tlog.note import Verifier
from services.audit.worker import SERVICE
from shared import keys
from shared.cli.opening import opened, require_database
from shared.cli.options import given
from shared.cli.output import Exit, fail
from shared.errors import DomainError, ErrorKind
from shared.events.envelope import ActorRef
from shared.runtime import Runtime

OPERATOR = ActorRef("operator", "command-line")
STATUS = {ErrorKind.NOT_FOUND: Exit.MISSING, ErrorKind.INVALID: Exit.USAGE}
Answer = TypeVar("Answer")


def settings_of(data: Path | None, keys_dir: Path | None) -> AuditSettings:
    return AuditSettings.load(**given(data_dir=data, keys_dir=keys_dir))


def verifier(settings: AuditSettings) -> Verifier:
    """What checks this deployment's signatures. A fresh key would find every one of them bad: none is made here."""
    require_database(settings, "audit")
    if settings.signing_key_file is None:
        keys.existing_key(settings, "trail")
    return verifier_of(settings)


def ask(data: Path | None, keys_dir: Path | None, act: Callable[[Runtime], Awaitable[Answer]]) -> Answer:
    """What `act` finds out about the trail. Ends the command, in plain words, where it cannot."""

    async def run() -> Answer:
        async with opened(SERVICE, settings_of(data, keys_dir)) as runtime:
            return await act(runtime)

    try:
        return asyncio.run(run())
    except DomainError as refused:
        fail(STATUS.get(refused.kind, Exit.WRONG), refused.detail)
