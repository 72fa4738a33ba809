"""The database of a service: SQLite (embedded) or PostgreSQL, behind the same two doors.

`Database.transaction()` is the one place that commits. State and events are written together: what is published
in a transaction is written to the outbox as its last statement, and nobody is woken before the commit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Table,
    event,
    insert,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.types import TypeDecorator

from shared import inline_sqlite
from shared.clock import monotonic_seconds, system_now
from shared.errors import StaleVersion, Unavailable
from shared.events.envelope import SYSTEM, ActorRef, Envelope, Event
from shared.events.registry import may_publish, owner_of
from shared.ids import new_id
from shared.lender_session import NotThisLenders
from shared.outgoing import Cases, Outgoing, RetentionOf, cases_of, stamp
from shared.sessions import session_of
from shared.settings import Settings
from shared.storage import Storage, out_of_storage, says_full

if TYPE_CHECKING:
    from shared.vault import OpenVault, Vault

BigId = BigInteger().with_variant(Integer, "sqlite")

# What says that the database is away or busy: nobody's request or event is at fault.
AWAY = (OperationalError, InterfaceError, Unavailable, OSError)

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def service_metadata() -> MetaData:
    """A service's own metadata. Every constraint has a name, since migrations on SQLite need one."""
    return MetaData(naming_convention=_NAMES)


class UtcTime(TypeDecorator[datetime]):
    """Times in UTC. SQLite forgets the zone: it is taken off when written and put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was about to be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Aggregate(Protocol):
    """A row whose changes are published: its version counts its events."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf, and in which thread of cause and effect, a transaction acts. With a `lender_id` it sees and
    changes the rows of this lender only: the lender calls, or a job works for it."""

    actor: ActorRef = SYSTEM
    correlation_id: str = ""
    causation_id: str | None = None
    traceparent: str | None = None
    lender_id: str | None = None


@dataclass(slots=True)
class Transaction:
    """An open unit of work: an ORM session, and the events to publish with it. `now` is the business time; a `silent`
    one refuses to publish."""

    session: AsyncSession
    now: datetime
    settings: Settings
    context: Context = field(default_factory=Context)
    source: str = ""
    outbox: list[Outgoing] = field(default_factory=list)
    wakes: bool = False
    silent: bool = False
    opened_vault: "OpenVault | None" = None

    @property
    def vault(self) -> "OpenVault":
        """Seals and opens personal data by the keys of subjects. Raises RuntimeError for a database without keys."""
        if self.opened_vault is None:
            raise RuntimeError(f"the database of {self.source} was opened without keys")
        return self.opened_vault

    def publish(self, event: Event, *, aggregate: Aggregate, lender_id: str | None = None) -> UUID:
        """Write an event about a row that this transaction has locked; its version goes up by one. The key is the
        event's case, or the row where it has none. The lender is the row's, or `lender_id` where the row names none."""
        aggregate.version += 1
        key: UUID = getattr(event, "case_id", None) or aggregate.id
        lender_id = None if event.across_lenders else lender_id or getattr(aggregate, "lender_id", None)
        return self.publish_as(
            event, subject=aggregate.id, version=aggregate.version, key=key, lender_id=lender_id, about=aggregate
        )

    def publish_as(
        self,
        event: Event,
        *,
        subject: UUID,
        version: int,
        key: UUID,
        lender_id: str | None = None,
        about: Aggregate | None = None,
    ) -> UUID:
        """Write an event whose aggregate version the caller counts. `about` is the row that changed, where it is at
        hand. Returns the event's id."""
        if not may_publish(self.source, type(event)):
            raise RuntimeError(f"{self.source} may not publish {event.type}: {owner_of(type(event))} owns it")
        context = self.context
        if context.lender_id is not None and lender_id not in (None, context.lender_id):
            raise NotThisLenders(f"A lender's transaction was about to publish {event.type} of another lender.")
        envelope = Envelope(
            event_id=new_id(),
            source=f"/{self.source}",
            type=event.type,
            occurred_at=self.now,
            subject=subject,
            partition_key=key,
            sequence=version,
            actor=context.actor,
            correlation_id=context.correlation_id or str(new_id()),
            causation_id=context.causation_id,
            lender_id=lender_id,
            traceparent=context.traceparent,
        )
        self.add_to_outbox(
            topic=event.topic,
            key=key,
            headers=envelope.headers(),
            payload=event.model_dump_json(exclude_none=True).encode(),
            event_id=envelope.event_id,
            subject=subject,
            version=version,
            cases=cases_of(event),
            about=about,
        )
        return envelope.event_id

    def add_to_outbox(
        self,
        *,
        topic: str,
        key: UUID,
        headers: Mapping[str, str],
        payload: bytes,
        event_id: UUID,
        subject: UUID,
        version: int,
        cases: Cases | None = None,
        about: object = None,
    ) -> None:
        """Write one frozen message. `publish` is the door for events; dead letters come here directly, without cases:
        they keep the headers that they came with."""
        if self.silent:
            raise RuntimeError(f"a projection is being rebuilt: nothing may be published, but {topic} was about to be")
        row = {
            "event_id": event_id,
            "topic": topic,
            "key": key,
            "aggregate_id": subject,
            "aggregate_version": version,
            "payload": payload,
            "created_at": system_now(),
        }
        self.outbox.append(Outgoing(row, dict(headers), cases, about))

    def wake_worker(self) -> None:
        """There is work for a timer or a job: wake the worker after the commit."""
        self.wakes = True

    def acting_as(self, actor: ActorRef) -> None:
        """From here on, events name this actor."""
        self.context = replace(self.context, actor=actor)


class Database:
    """The pool of one service's database. `outbox` is the table that its events go to, `retention` finds their
    retention classes."""

    def __init__(
        self,
        settings: Settings,
        *,
        source: str,
        outbox: Table,
        vault: "Vault | None" = None,
        retention: RetentionOf | None = None,
    ) -> None:
        url = settings.database_url_of(source)
        self.url = url
        self.source = source
        self.is_sqlite = url.startswith("sqlite")
        folder = settings.data_dir if self.is_sqlite else None
        self.storage = Storage(source, folder, settings.storage_free_bytes_min)
        self._settings = settings
        self._vault = vault
        self._retention = retention
        self._append = insert(outbox).inline()  # made once: what is compiled for it is found again at once
        self._on_events: list[Callable[[], None]] = []
        self._on_work: list[Callable[[], None]] = []
        self._one_writer = asyncio.Lock()
        self._writing_since: float | None = None
        if self.is_sqlite:
            self.engine = create_async_engine(
                url,
                connect_args={"timeout": settings.lock_timeout_ms / 1000, "async_creator_fn": inline_sqlite.connect},
                pool_size=8,
                pool_timeout=settings.database_wait_seconds_max,
            )
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
            event.listen(self.engine.sync_engine, "commit", _refuse_a_commit_of_nothing)
        else:
            timeouts = {
                "lock_timeout": str(settings.lock_timeout_ms),
                "statement_timeout": str(settings.statement_timeout_ms),
            }
            self.engine = create_async_engine(
                url,
                pool_size=settings.database_connections_max,
                max_overflow=0,
                pool_timeout=settings.database_wait_seconds_max,
                connect_args={"server_settings": {**timeouts, "application_name": f"doorstep-{source}"}},
            )
        self._writer: AsyncEngine = self.engine.execution_options(doorstep_begin="IMMEDIATE")
        # PostgreSQL shows each statement the newest commits, in a transaction as without: so none is begun for reading.
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def on_events(self, wake: Callable[[], None]) -> None:
        """Call this after every commit that published something."""
        self._on_events.append(wake)

    def on_work(self, wake: Callable[[], None]) -> None:
        """Call this after every commit that left work for a timer or a job."""
        self._on_work.append(wake)

    @asynccontextmanager
    async def transaction(
        self, context: Context | None = None, now: datetime | None = None
    ) -> AsyncIterator[Transaction]:
        """One unit of work, committed at the end, rolled back on any exception. `now` is the business time."""
        context = context or Context()
        async with self._queue_for_writing(), session_of(self._writer, context.lender_id) as session:
            tx = self._opened(session, now, context)
            try:
                yield tx
                await session.flush()
                if tx.outbox:
                    await stamp(tx, self._retention)
                    await session.execute(self._append, [each.frozen() for each in tx.outbox])
                await session.commit()
            except (DBAPIError, PoolTimeout, ConnectionError) as error:
                await session.rollback()
                raise self._as_domain_error(error) from error
            except BaseException:
                await session.rollback()
                raise
        for wake in [*(self._on_events if tx.outbox else ()), *(self._on_work if tx.wakes else ())]:
            wake()

    @asynccontextmanager
    async def reading(self, context: Context | None = None, now: datetime | None = None) -> AsyncIterator[Transaction]:
        """A unit of work that only reads: its session refuses to flush rows and to execute anything but a SELECT."""
        context = context or Context()
        async with session_of(self._reader, context.lender_id, reads_only=True) as session:
            try:
                yield self._opened(session, now, context)
            except (DBAPIError, PoolTimeout, ConnectionError) as error:
                raise self._as_domain_error(error) from error

    def _opened(self, session: AsyncSession, now: datetime | None, context: Context) -> Transaction:
        tx = Transaction(session, now or system_now(), self._settings, context, self.source)
        tx.opened_vault = self._vault.of(tx) if self._vault is not None else None
        return tx

    @asynccontextmanager
    async def _queue_for_writing(self) -> AsyncIterator[None]:
        """SQLite has one writer: wait in this process's own queue instead of polling a busy file. Raises Unavailable
        after database_wait_seconds_max."""
        if not self.is_sqlite:
            yield
            return
        try:
            async with asyncio.timeout(self._settings.database_wait_seconds_max):
                await self._one_writer.acquire()
        except TimeoutError:
            raise _busy() from None
        self._writing_since = monotonic_seconds()
        try:
            yield
        finally:
            self._writing_since = None
            self._one_writer.release()

    @property
    def writing_seconds(self) -> float:
        """How long the transaction under way has been SQLite's only writer; 0 for none, and on PostgreSQL."""
        return 0.0 if self._writing_since is None else monotonic_seconds() - self._writing_since

    def _as_domain_error(self, error: DBAPIError | PoolTimeout | ConnectionError) -> Exception:
        full = isinstance(error, DBAPIError) and says_full(error.orig)
        return self.storage.refused() if full else _as_domain_error(error)

    async def close(self) -> None:
        await self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control is switched off: _begin_sqlite says BEGIN.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once with BUSY under WAL.
    kind = connection.get_execution_options().get("doorstep_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _refuse_a_commit_of_nothing(connection: Connection) -> None:
    # On a full disk SQLite may roll a transaction back by itself; the driver's COMMIT would then report success.
    driver = connection.connection.driver_connection
    if driver is not None and not driver.in_transaction:
        raise out_of_storage()


# PostgreSQL's classes of states: connection, resources, operator (such as a shutdown).
_AWAY_CLASSES = ("08", "53", "57")


def _away() -> Unavailable:
    return Unavailable("database-away", "The database does not answer now. Try again in a moment.")


def _busy() -> Unavailable:
    return Unavailable("busy", "Too many requests wait for the database. Try again in a moment.")


def _as_domain_error(error: DBAPIError | PoolTimeout | ConnectionError) -> Exception:
    """Expected troubles of a database, as facts that a user can act on; anything else stays what it is."""
    if isinstance(error, PoolTimeout):
        return _busy()
    if isinstance(error, ConnectionError):
        return _away()
    sqlstate = str(getattr(error.orig, "sqlstate", None) or "")
    if error.connection_invalidated or sqlstate[:2] in _AWAY_CLASSES:
        return _away()
    text = str(error.orig).lower()
    if "lock timeout" in text or "database is locked" in text or "deadlock" in text:
        return Unavailable("busy", "Another request is changing the same thing. Try again in a moment.")
    if "could not serialize" in text:
        return StaleVersion("changed-meanwhile", "Another request changed it first. Read it again, then repeat.")
    return error
