"""Commands that run the system: up, serve, migrate, token."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Annotated, NoReturn

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError

from services.audit.roles import grant_roles
from services.audit.trail.checkpoints import TrailBroken
from services.cli.options import DataOption, JsonOption, KeysOption
from services.cli.output import Exit, err, fail, out, print_json
from services.embedded import PARTS, Embedded, Part, free_port, serve
from shared import keys, migrations
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.kafka.topics import TopicsWrong
from shared.bus.transport import TransportDown
from shared.private_files import mend
from shared.process import runner
from shared.runtime import Runtime
from shared.settings import Settings
from shared.telemetry import set_up_logging
from shared.tracing import set_up_tracing
from shared.web import create_health_app
from shared.worker import Notifier

TOKEN_SECONDS = 7 * 24 * 3600


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command("serve")(serve_service)
    app.command()(migrate)
    app.command()(token)


def up(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 8080,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    clock: Annotated[str | None, typer.Option(help="start of a simulated business clock, RFC 3339")] = None,
    as_json: JsonOption = False,
) -> None:
    """The embedded system: all four services on one port, until Ctrl-C."""
    given = {"data_dir": data, "keys_dir": keys_dir}
    settings = Settings.load(**{name: value for name, value in given.items() if value})
    set_up_logging(settings.log_level)
    set_up_tracing(settings.otlp_endpoint, "embedded")
    for word in mend(settings.data_dir):
        err.print(word, style="yellow", markup=False, highlight=False, soft_wrap=True)
    chosen = port or free_port()
    start = time_of("--clock", clock) if clock else settings.clock
    system = Embedded(data=settings.data_dir, keys=settings.keys_dir, port=chosen, clock=start)

    def ready() -> None:
        tokens = development_tokens(settings)
        if as_json:
            print_json({"url": system.base_url, "data": str(settings.data_dir), "tokens": tokens})
        else:
            _show(system, settings, tokens)

    run(serve(system, settings=settings, port=chosen, ready=ready, until=system.worker_died))
    if isinstance(system.failure, TrailBroken):
        refuse(system.failure)
    if system.failure is not None:
        raise system.failure


def refuse(broken: TrailBroken) -> NoReturn:
    """Nothing may be added to a trail that contradicts what was signed."""
    told = "Nothing is added until somebody has looked: keep this database as it is, and run `doorstep trail verify`."
    fail(Exit.WRONG, f"The trail does not start. {broken}\n{told}")


def run(work: Coroutine[None, None, None]) -> None:
    """Run a process's work to its end."""
    with runner() as running:
        running.run(work)


def _show(system: Embedded, settings: Settings, tokens: dict[str, str]) -> None:
    out.print(f"Doorstep is up, data in {settings.data_dir}. Ctrl-C ends it.\n")
    for name in PARTS:
        out.print(f"  {name:<9} {system.base_url}/{name}/v1/docs")
    out.print("\nDevelopment tokens, good for a week (Authorization: Bearer …):\n")
    for role, value in tokens.items():
        out.print(f"  {role}", style="bold")
        out.print(f"  {value}\n", soft_wrap=True, highlight=False)


def time_of(option: str, text: str) -> datetime:
    """The time that somebody wrote behind an option."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        fail(Exit.USAGE, f"{option} {text}: write a time with its offset, such as 2026-03-02T08:00:00+08:00")
    return time


def development_tokens(settings: Settings) -> dict[str, str]:
    """One token a role, of the development issuer."""
    roles = [Role.ADMIN, Role.SUPERVISOR, Role.COMPLIANCE, Role.COLLECTOR, Role.LENDER]
    return {role.value: development_token(settings, role, lender="lender-1") for role in roles}


def development_token(settings: Settings, role: Role, *, subject: str | None = None, lender: str = "") -> str:
    key = keys.private_key(None, settings=settings, name="issuer")
    return issue_token(
        key,
        key_id=keys.key_id(key.public_key()),
        issuer=DEVELOPMENT_ISSUER,
        audience=settings.oidc_audience,
        subject=subject or f"development-{role}",
        roles=[role],
        seconds=TOKEN_SECONDS,
        lender_id=lender if role is Role.LENDER else None,
    )


def serve_service(
    service: Annotated[str, typer.Argument(help="cases, visits, followup or audit")],
    role: Annotated[str, typer.Argument(help="api or worker")],
    port: int = 8080,
    host: str = "127.0.0.1",
) -> None:
    """One process of the distributed form. Its settings come from the environment; a worker's port answers for its
    health and metrics only."""
    part = part_of(service)
    settings = part.settings.load()
    set_up_logging(settings.log_level)
    set_up_tracing(settings.otlp_endpoint, f"{service}-{role}")
    runtime = Runtime(part.service, settings)
    try:
        if role == "api":
            run(_serve_api(part, runtime, host, port))
        elif role == "worker":
            run(_serve_worker(part, runtime, host, port))
        else:
            fail(Exit.USAGE, f"{role}: the role of a process is api or worker")
    except TopicsWrong as wrong:
        fail(Exit.WRONG, str(wrong))
    except TrailBroken as broken:
        refuse(broken)
    except (TransportDown, SQLAlchemyError, OSError) as error:
        fail(Exit.MISSING, f"{service} {role}: database or bus is not there ({type(error).__name__}). Start it first.")


async def _serve_api(part: Part, runtime: Runtime, host: str, port: int) -> None:
    notifying = asyncio.create_task(Notifier(runtime).run())
    try:
        await serve(part.create_app(runtime), settings=runtime.settings, host=host, port=port)
    finally:
        notifying.cancel()


async def _serve_worker(part: Part, runtime: Runtime, host: str, port: int) -> None:
    stop, ended = asyncio.Event(), asyncio.Event()
    await runtime.start()
    working = asyncio.create_task(part.create_worker(runtime).run(stop))
    working.add_done_callback(lambda _: ended.set())
    try:
        await serve(create_health_app(runtime), settings=runtime.settings, host=host, port=port, until=ended)
    finally:
        stop.set()
        await asyncio.wait([working])
        await runtime.close()
    working.result()  # raises what ended the worker


def part_of(service: str) -> Part:
    if service not in PARTS:
        fail(Exit.USAGE, f"{service}: there are the services {', '.join(PARTS)}")
    return PARTS[service]


def migrate(
    service: Annotated[str | None, typer.Argument(help="default: all of them")] = None, data: DataOption = None
) -> None:
    """Bring the database of one service, or of all, to the newest schema."""
    for name in [service] if service else list(PARTS):
        part = part_of(name)
        settings = part.settings.load(**({"data_dir": data} if data else {}))
        try:
            migrations.upgrade(part.service.migrations, settings.database_url_of(name))
        except (SQLAlchemyError, OSError) as error:
            fail(Exit.MISSING, f"{name}: its database cannot be reached ({type(error).__name__}). Is it running?")
        err.print(f"{name}: at {migrations.newest_revision(part.service.migrations)}")
        if name == "audit":
            _grant_roles(settings)


def _grant_roles(settings: Settings) -> None:
    """The trail's roles in PostgreSQL, where this user may make them."""
    url = settings.database_url_of("audit")
    try:
        if not asyncio.run(grant_roles(url)) and url.startswith("postgresql"):
            err.print("audit: its roles were not made: this user may not make roles. deploy/README.md says how.")
    except asyncpg.InsufficientPrivilegeError:
        err.print("audit: this user may not grant the rights of the trail's roles. deploy/README.md says how.")


def token(
    role: Annotated[Role, typer.Option()],
    lender: Annotated[str, typer.Option(help="lender id, for the role lender")] = "",
    subject: Annotated[str | None, typer.Option()] = None,
    data: DataOption = None,
) -> None:
    """A development token (embedded issuer only)."""
    settings = Settings.load(**({"data_dir": data} if data else {}))
    if settings.oidc_issuer:
        fail(Exit.USAGE, "Tokens come from DOORSTEP_OIDC_ISSUER here; development tokens would not be accepted.")
    if role is Role.LENDER and not lender:
        fail(Exit.USAGE, "A lender's token names its lender: add --lender ID")
    typer.echo(development_token(settings, role, subject=subject, lender=lender))
