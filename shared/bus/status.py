"""How a service stands with the bus: what waits to be published, to be handled, and to be cured."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import func, select

from shared.bus import parking
from shared.bus.tables import BusTables
from shared.bus.transport import Transport, dead_letter_topic
from shared.bus.watchdog import Positions, lag_of
from shared.clock import system_now
from shared.database import Transaction

Halted = Callable[[Transaction], Awaitable[str | None]]


async def never_halted(_tx: Transaction) -> str | None:
    """Of a service whose consumer goes on whatever comes."""
    return None


class OutboxStatus(BaseModel):
    pending: int = Field(description="events that are committed and not published yet")
    oldest_seconds: float = Field(description="age of the oldest of them")
    parked_keys: int = Field(description="keys that wait behind an event that no broker takes")


class RelayStatus(BaseModel):
    holder: str = Field(description="host, process and start of the relay that publishes now")
    epoch: int = Field(description="how often the relay has changed hands, plus one")
    expires_in_seconds: float = Field(description="until another may take over; negative when nobody publishes")


class ConsumerStatus(BaseModel):
    topics: dict[str, int] = Field(description="events not handled yet, by topic")
    beyond: dict[str, int] = Field(
        default_factory=dict, description="events that were handled and that the bus does not have, by topic"
    )
    halted: str | None = Field(None, description="why it handles nothing more until a person has looked")
    parked_keys: int = Field(description="keys that wait behind an event that failed")
    parked_events: int
    dead_letters: int = Field(description="records that could not be read, ever")


class BusStatus(BaseModel):
    """Where a service stands; `well` is false where somebody should look."""

    service: str
    well: bool
    outbox: OutboxStatus
    relay: RelayStatus | None
    consumer: ConsumerStatus
    projections: list[str]


async def status(
    tx: Transaction,
    service: str,
    tables: BusTables,
    transport: Transport,
    topics: tuple[str, ...],
    positions: Positions,
    halted: Halted,
) -> BusStatus:
    outbox = await outbox_status(tx, tables)
    consumer = await _consumer_status(tx, service, tables, transport, topics, positions)
    consumer.halted = await halted(tx)
    return BusStatus(
        service=service,
        well=not (outbox.parked_keys or consumer.parked_keys or consumer.dead_letters or consumer.beyond)
        and consumer.halted is None,
        outbox=outbox,
        relay=await _relay_status(tx, service, tables),
        consumer=consumer,
        projections=[],
    )


async def outbox_status(tx: Transaction, tables: BusTables) -> OutboxStatus:
    outbox = tables.outbox
    unpublished = outbox.c.published_at.is_(None)
    pending, oldest = (
        await tx.session.execute(select(func.count(), func.min(outbox.c.created_at)).where(unpublished))
    ).one()
    parked_keys = await tx.session.scalar(
        select(func.count(outbox.c.key.distinct())).where(unpublished, outbox.c.parked_at.is_not(None))
    )
    return OutboxStatus(pending=pending, oldest_seconds=_age(oldest), parked_keys=parked_keys or 0)


def _age(since: datetime | None) -> float:
    return round((system_now() - since).total_seconds(), 3) if since else 0.0


async def _relay_status(tx: Transaction, service: str, tables: BusTables) -> RelayStatus | None:
    lease = tables.lease
    row: Any = (await tx.session.execute(select(lease).where(lease.c.name == service))).one_or_none()
    if row is None:
        return None
    left = row.expires_at_seconds - system_now().timestamp()
    return RelayStatus(holder=row.holder, epoch=row.epoch, expires_in_seconds=round(left, 1))


async def _consumer_status(
    tx: Transaction,
    service: str,
    tables: BusTables,
    transport: Transport,
    topics: tuple[str, ...],
    positions: Positions,
) -> ConsumerStatus:
    letters = await transport.ends([dead_letter_topic(topic, service) for topic in topics])
    reached = await positions(tx, tables, service)
    lags, beyond = dict.fromkeys(topics, 0), dict.fromkeys(topics, 0)
    for place, end in (await transport.ends(topics)).items():
        waiting, gone = lag_of({place: end}, reached)
        lags[place.topic] += waiting
        beyond[place.topic] += gone
    return ConsumerStatus(
        topics=lags,
        beyond={topic: count for topic, count in beyond.items() if count},
        parked_keys=len(await parking.keys_of(tx, tables, service, parking.Choice())),
        parked_events=await parking.count(tx, tables, service),
        dead_letters=sum(letters.values()),
    )
