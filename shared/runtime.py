"""What a process of a service holds while it runs: settings, database, bus, keys, clock. Built once, closed once.

Services put their parts together from here; nothing is global, so that one process can hold all four services.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jwt import PyJWTError
from sqlalchemy import MetaData, Table

from shared import keys
from shared.approvals import Catalogue
from shared.auth import DEVELOPMENT_ISSUER, SERVICE_ISSUER, Issuer, KeySource, Role, TokenVerifier, issue_token, keys_in
from shared.bus import inbox
from shared.bus.consumer import Consumer, Replayed
from shared.bus.embedded import EmbeddedTransport
from shared.bus.handling import Handler, in_turn
from shared.bus.kafka.brokers import Brokers
from shared.bus.kafka.transport import KafkaTransport
from shared.bus.parking import Choice
from shared.bus.projections import Projection, Rebuild
from shared.bus.status import BusStatus, Halted, never_halted, status
from shared.bus.tables import BusTables, bus_tables
from shared.bus.transport import Transport
from shared.bus.watchdog import Positions, Watchdog
from shared.business_clock import BusinessClock, ClockTables, clock_tables
from shared.database import Context, Database, Transaction
from shared.events.envelope import ActorRef, Event
from shared.idempotency import drop_old_replies, idempotency_table
from shared.job_runner import run_next
from shared.jobs import JobKind, Jobs
from shared.outgoing import RetentionOf
from shared.settings import PREFIX, Environment, Settings, SettingsRefused
from shared.tenants import check_tenants
from shared.vault import Vault, subject_key_table

SERVICE_TOKEN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class ServiceTables:
    """A service's own metadata, with the tables that every service has."""

    metadata: MetaData
    bus: BusTables
    clock: ClockTables
    idempotency: Table
    subject_key: Table
    jobs: Jobs


def service_tables(metadata: MetaData) -> ServiceTables:
    return ServiceTables(
        metadata,
        bus_tables(metadata),
        clock_tables(metadata),
        idempotency_table(metadata),
        subject_key_table(metadata),
        Jobs(metadata),
    )


@dataclass(frozen=True, slots=True)
class Timer:
    """Work that becomes due: `run` does a bounded piece of it and returns how much; 0 says that nothing is due.
    `job`: the kind of job that it works on. `awaited`: a simulated clock moves only when nothing is due."""

    name: str
    run: Callable[["Runtime"], Awaitable[int]]
    job: JobKind | None = None
    awaited: bool = True


def _timer_of(kind: JobKind) -> Timer:
    return Timer(kind.name, lambda runtime: run_next(runtime, kind), kind, kind.awaited)


@dataclass(frozen=True, slots=True)
class Service:
    """A service as a whole: what its processes are put together from."""

    name: str
    tables: ServiceTables
    migrations: Path
    listens_to: tuple[str, ...] = ()
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    projections: tuple[Projection, ...] = ()
    timers: tuple[Timer, ...] = ()
    jobs: tuple[JobKind, ...] = ()
    positions: Positions = inbox.positions
    halted: Halted = never_halted
    approvals: Catalogue | None = None
    retention: RetentionOf | None = None

    @property
    def handles(self) -> dict[type[Event], Handler]:
        """What is done on each event: first the projections see it, then the rooms."""
        kinds = dict.fromkeys([kind for each in self.projections for kind in each.handlers])
        kinds |= dict.fromkeys(self.handlers)
        return {kind: in_turn(*self._handlers_of(kind)) for kind in kinds}

    @property
    def all_timers(self) -> list[Timer]:
        """The work that becomes due, one timer for each kind of job, and what every service has."""
        replies = Timer("old replies", drop_old_replies(self.tables.idempotency), awaited=False)
        return [*self.timers, *map(_timer_of, self.jobs), replies]

    def _handlers_of(self, kind: type[Event]) -> list[Handler]:
        views = [projection.live(kind) for projection in self.projections if kind in projection.handlers]
        return [*views, self.handlers[kind]] if kind in self.handlers else views


class Runtime:
    """One service in one process."""

    def __init__(self, service: Service, settings: Settings, transport: Transport | None = None) -> None:
        check_tenants(service.tables.metadata)
        self.service = service
        self.settings = settings
        self.keyring = keys.keyring(settings)
        self.digest_secret = keys.digest_secret(settings)
        self.vault = Vault(service.tables.subject_key, self.keyring, self.digest_secret)
        self.database = Database(
            settings,
            source=service.name,
            outbox=service.tables.bus.outbox,
            vault=self.vault,
            retention=service.retention,
        )
        self.transport = transport or transport_of(settings, service.name)
        self.clock = BusinessClock(
            service.tables.clock,
            service.tables.bus,
            settings.clock,
            production=settings.environment is Environment.PRODUCTION,
        )
        self.cursor_key = keys.derived_key(self.digest_secret, f"cursors/{service.name}")
        self.log_key = keys.derived_key(self.digest_secret, "access-log")
        self.verifier = TokenVerifier(_issuers(settings), settings.oidc_audience)
        self._service_key = keys.private_key("service_key_file", settings=settings, name="services")
        self.events_waiting = asyncio.Event()
        self.watchdogs: list[Watchdog] = []
        self._work_waiting: list[asyncio.Event] = []
        self.database.on_events(self.events_waiting.set)
        self.database.on_work(self.wake_timers)

    def work_waiting(self) -> asyncio.Event:
        """Set when there is work for a timer or a job."""
        event = asyncio.Event()
        self._work_waiting.append(event)
        return event

    def wake_timers(self) -> None:
        for event in self._work_waiting:
            event.set()

    async def start(self) -> None:
        await self.transport.start()
        await self.clock.begin(self.database)
        await self.vault.begin(self.database)

    async def close(self) -> None:
        await self.transport.close()
        await self.database.close()

    async def business_now(self, tx: Transaction) -> Any:
        return await self.clock.now(tx)

    def consumer(self) -> Consumer:
        """A member of this service's group."""
        service = self.service
        return Consumer(
            service.name,
            database=self.database,
            tables=service.tables.bus,
            transport=self.transport,
            topics=service.listens_to,
            handlers=service.handles,
            business_now=self.business_now,
            positions=service.positions,
        )

    async def bus_status(self, tx: Transaction) -> BusStatus:
        """Where this service stands with the bus."""
        service = self.service
        found = await status(
            tx, service.name, service.tables.bus, self.transport, service.listens_to, service.positions, service.halted
        )
        return found.model_copy(update={"projections": [projection.name for projection in service.projections]})

    async def replay(self, choice: Choice, context: Context) -> Replayed:
        """Run parked events of this service again, and let its relay try again what it could not send."""
        return await self.consumer().replay(choice, context)

    def rebuild(self, projection: Projection) -> Rebuild:
        """A rebuild of one of this service's projections."""
        service = self.service
        return Rebuild(
            projection,
            consumer=service.name,
            database=self.database,
            tables=service.tables.bus,
            transport=self.transport,
            topics=service.listens_to,
            business_now=self.business_now,
        )

    def service_token(self, on_behalf_of: ActorRef) -> str:
        """A short-lived token by which this service calls another one for a person."""
        return issue_token(
            self._service_key,
            key_id=keys.key_id(self._service_key.public_key()),
            issuer=SERVICE_ISSUER,
            audience=self.settings.oidc_audience,
            subject=self.service.name,
            roles=[Role.SERVICE],
            seconds=SERVICE_TOKEN_SECONDS,
            on_behalf_of=str(on_behalf_of),
        )


def transport_of(settings: Settings, client: str) -> Transport:
    """Kafka where brokers are set, else the log in the data folder."""
    if settings.kafka_bootstrap:
        return KafkaTransport(brokers_of(settings, settings.kafka_bootstrap), client=client)
    return EmbeddedTransport(settings.data_dir / "bus.sqlite3")


def brokers_of(settings: Settings, bootstrap: str) -> Brokers:
    """The brokers that these settings name. Raises SettingsRefused where no client can be made from them."""
    if problems := settings.kafka_problems():
        raise SettingsRefused("These settings of Kafka do not fit:\n- " + "\n- ".join(problems))
    brokers = Brokers(
        bootstrap,
        security=settings.kafka_security,
        mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=settings.text_of("kafka_password_file").strip() if settings.kafka_password_file else None,
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        replication=settings.kafka_replication,
        min_insync=settings.kafka_min_insync or max(1, settings.kafka_replication - 1),
        strict=settings.environment is Environment.PRODUCTION,
    )
    try:
        brokers.options("check")
    except OSError as error:  # also what is wrong with a certificate
        reason = getattr(error, "reason", None) or error.strerror
        raise SettingsRefused(
            "The certificates for Kafka cannot be used: look at DOORSTEP_KAFKA_CA_FILE, "
            f"DOORSTEP_KAFKA_CERTIFICATE_FILE and DOORSTEP_KAFKA_KEY_FILE ({reason})."
        ) from error
    return brokers


def _issuers(settings: Settings) -> list[Issuer]:
    people = frozenset(Role) - {Role.SERVICE}
    for name in ("service_jwks_file", "jwks_file"):
        _check_jwks(settings, name)
    services_file = settings.service_jwks_file or _development_jwks(settings, "services")
    services = Issuer(SERVICE_ISSUER, KeySource(path=services_file), frozenset({Role.SERVICE}))
    if settings.oidc_issuer:
        source = KeySource(path=settings.jwks_file, issuer_url=settings.oidc_issuer)
        return [Issuer(settings.oidc_issuer, source, people), services]
    return [Issuer(DEVELOPMENT_ISSUER, KeySource(path=_development_jwks(settings, "issuer")), people), services]


def _check_jwks(settings: Settings, name: str) -> None:
    """Raises CannotRun or SettingsRefused where a file of public keys is set and no key can be read from it."""
    if getattr(settings, name) is None:
        return
    try:
        usable = bool(keys_in(json.loads(settings.text_of(name))))
    except (ValueError, TypeError, AttributeError, PyJWTError):
        usable = False
    if not usable:
        place = f"{PREFIX}{name.upper()}: {getattr(settings, name)}"
        raise SettingsRefused(f'{place} must be a JSON Web Key Set ({{"keys": […]}}) with a signing key and its kid.')


def _development_jwks(settings: Settings, name: str) -> Path:
    """The public half of a development key, as a file of the keys folder."""
    key = keys.private_key(None, settings=settings, name=name)
    path = settings.keys_path / f"{name}.jwks.json"
    keys.write_once(path, keys.jwks(key.public_key()).encode())
    return path
