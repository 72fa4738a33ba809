"""The tables by which a service takes part in the bus. Each service has its own set, in its own database."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, Float, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint, Uuid
from sqlalchemy import Column as C

from shared.database import BigId, UtcTime
from shared.tenants import owned


@dataclass(frozen=True, slots=True)
class BusTables:
    """outbox: what is to be published · lease: who relays · inbox: what was handled · position: how far each
    partition was handled · parked: events that wait behind a key that fails."""

    outbox: Table
    lease: Table
    inbox: Table
    position: Table
    parked: Table


def bus_tables(metadata: MetaData) -> BusTables:
    """Declare the bus's tables on a service's own metadata."""
    lease = Table(
        "relay_lease",
        metadata,
        C("name", Text, primary_key=True),
        C("holder", Text, nullable=False),
        C("epoch", BigInteger, nullable=False),
        C("expires_at_seconds", Float(53), nullable=False),
        **owned(tenant=None, because="Who relays, and nothing of a case."),
    )
    inbox = Table(
        "inbox",
        metadata,
        C("consumer", Text, primary_key=True),
        C("event_id", Uuid, primary_key=True),
        C("handled_at", UtcTime, nullable=False),
        **owned(tenant=None, because="Ids of handled events, for the consumer."),
    )
    position = Table(
        "consumer_position",
        metadata,
        C("consumer", Text, primary_key=True),
        C("topic", Text, primary_key=True),
        C("partition", Integer, primary_key=True),
        C("next_offset", BigInteger, nullable=False),
        **owned(tenant=None, because="How far a consumer has read."),
    )
    parked = Table(
        "parked",
        metadata,
        C("id", BigId, primary_key=True, autoincrement=True),
        C("consumer", Text, nullable=False),
        C("event_id", Uuid, nullable=False),
        C("key", Text, nullable=False),
        C("topic", Text, nullable=False),
        C("partition", Integer, nullable=False),
        C("offset", BigInteger, nullable=False),
        C("headers", Text, nullable=False),
        C("payload", LargeBinary, nullable=False),
        C("attempts", Integer, nullable=False),
        C("error", Text, nullable=False),
        C("parked_at", UtcTime, nullable=False),
        UniqueConstraint("consumer", "event_id", name="uq_parked_event"),
        Index("ix_parked_key", "consumer", "key", "id"),
        **owned(tenant=None, because="Events of all lenders, for operators."),
    )
    return BusTables(_outbox_table(metadata), lease, inbox, position, parked)


def _outbox_table(metadata: MetaData) -> Table:
    """The outbox of a service: one row an event, frozen when written."""
    table = Table(
        "outbox",
        metadata,
        C("seq", BigId, primary_key=True, autoincrement=True),
        C("event_id", Uuid, nullable=False, unique=True),
        C("topic", Text, nullable=False),
        C("key", Uuid, nullable=False),
        C("aggregate_id", Uuid, nullable=False),
        C("aggregate_version", BigInteger, nullable=False),
        C("headers", Text, nullable=False),
        C("payload", LargeBinary, nullable=False),
        C("created_at", UtcTime, nullable=False),
        C("attempts", Integer, nullable=False, server_default="0"),
        C("last_error", Text),
        C("parked_at", UtcTime),
        C("published_at", UtcTime),
        UniqueConstraint("aggregate_id", "aggregate_version", name="uq_outbox_aggregate"),
        **owned(tenant=None, because="The relay alone reads it; an event names its lender in its envelope."),
    )
    unpublished = table.c.published_at.is_(None)
    Index("ix_outbox_unpublished", table.c.seq, sqlite_where=unpublished, postgresql_where=unpublished)
    return table
