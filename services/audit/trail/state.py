"""What the trail remembers of its own operation, beside its logs: where checkpoints are copied to, how often the bus
was made again, and why the sequencer halted. It proves nothing; it tells operators and the next start what to expect.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from services.audit.trail.tables import TRAIL_STATE
from shared.bulk import upsert_rows
from shared.database import Transaction

COPIES, HALTED, BUS = "copies", "halted", "bus"


class TrailBroken(Exception):
    """The stored trail contradicts what was signed: nothing may be added until a person has looked."""


async def read_state(tx: Transaction, name: str) -> dict[str, Any] | None:
    """What is remembered under a name, or None."""
    value = await tx.session.scalar(select(TRAIL_STATE.c.value).where(TRAIL_STATE.c.name == name))
    return None if value is None else json.loads(value)


async def write_state(tx: Transaction, name: str, value: dict[str, Any]) -> None:
    await upsert_rows(tx, TRAIL_STATE, [(name, json.dumps(value))])


async def forget_state(tx: Transaction, name: str) -> None:
    await tx.session.execute(delete(TRAIL_STATE).where(TRAIL_STATE.c.name == name))


async def bus_generation(tx: Transaction) -> int:
    """How often the bus was lost and made again: the offsets of each generation begin at 0."""
    found = await read_state(tx, BUS)
    return 0 if found is None else int(found["generation"])


async def note_halt(tx: Transaction, reason: str, now: datetime) -> None:
    """The sequencer takes nothing more, and why."""
    await write_state(tx, HALTED, {"reason": reason, "since": now.isoformat()})


async def halted_because(tx: Transaction) -> str | None:
    """Why the sequencer halted; None while it may work."""
    found = await read_state(tx, HALTED)
    return None if found is None else str(found["reason"])
