"""Commands that run the system: up, serve, migrate, token."""

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import datetime
from socket import socket
from typing import Annotated, NoReturn
from uuid import UUID

import asyncpg
import typer

from services.audit.roles import grant_roles
from services.audit.trail.state import TrailBroken
from services.embedded import PARTS, Embedded, Part
from shared import data_folder, keys, migrations
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.bus.kafka.topics import TopicsWrong
from shared.cli.options import DataOption, JsonOption, KeysOption, given
from shared.cli.output import Exit, err, fail, out, print_json
from shared.law.dates import STATED_YEAR_MIN, YEAR_MAX
from shared.private_files import mend
from shared.process import runner
from shared.runtime import Runtime
from shared.settings import Settings
from shared.telemetry import set_up_logging
from shared.tracing import set_up_tracing
from shared.web import create_health_app
from shared.web.serving import bound, serve
from shared.worker import Notifier

TOKEN_SECONDS = 7 * 24 * 3600
DEVELOPMENT_LENDER = "lender-1"
DEVELOPMENT_COLLECTOR = UUID("d0000000-0000-4000-8000-000000000001")
# No people are made up in a register that may hold real ones: the tokens name who can be registered.
WHO_THEY_ARE = (
    f"The collector's token is collector {DEVELOPMENT_COLLECTOR}. Register that id with the supervisor's token:",
    f'  POST /visits/v1/collectors {{"id": "{DEVELOPMENT_COLLECTOR}", "name": "…", "status": "ACTIVE", …}}',
    f"The lender's token is {DEVELOPMENT_LENDER}. Register it with the admin's token:",
    f'  POST /cases/v1/lenders {{"id": "{DEVELOPMENT_LENDER}", "name": "…"}}',
    "Tokens of others: doorstep token --role collector --subject ID, doorstep token --role lender --lender ID",
)
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command("serve")(serve_service)
    app.command()(migrate)
    app.command()(token)


def up(
    port: PortOption = 8080,
    data: DataOption = None,
    keys_dir: KeysOption = None,
    clock: Annotated[
        str | None, typer.Option(help="start of a simulated business clock for an empty data folder, RFC 3339")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The embedded system: all four services on one port, until Ctrl-C."""
    settings = Settings.load(**given(data_dir=data, keys_dir=keys_dir))
    start = settings.clock if clock is None else time_of("--clock", clock)
    set_up_logging(settings.log_level)
    set_up_tracing(settings.otlp_endpoint, "embedded")
    with data_folder.locked(settings.data_dir, "up") as lock, bound("127.0.0.1", port) as listening:
        chosen: int = listening.getsockname()[1]
        lock.note(chosen)
        for word in mend(settings.data_dir):
            err.print(word, style="yellow", markup=False, highlight=False, soft_wrap=True)
        system = Embedded(data=settings.data_dir, keys=settings.keys_dir, port=chosen, clock=start)

        def ready() -> None:
            _say_clock(system.clock, start)
            tokens = development_tokens(settings)
            if as_json:
                who = {"collector_id": str(DEVELOPMENT_COLLECTOR), "lender_id": DEVELOPMENT_LENDER}
                print_json({"url": system.base_url, "data": str(settings.data_dir), "tokens": tokens, **who})
            else:
                _show(system, settings, tokens)

        try:
            run(serve(system, settings=settings, listening=listening, ready=ready, until=system.worker_died))
        except TrailBroken as broken:
            refuse(broken)
    if isinstance(system.failure, TrailBroken):
        refuse(system.failure)
    if system.failure is not None:
        raise system.failure


def _say_clock(runs_from: datetime | None, wanted: datetime | None) -> None:
    """A clock that is not the real one is never silent."""
    if runs_from is None:
        return
    words = f"The business clock is simulated: it shows {runs_from.isoformat()}."
    if wanted is not None and wanted != runs_from:
        words += " This folder has lived by it, so its time counts, not the start that was given."
    words += " It moves by POST /SERVICE/v1/clock."
    err.print(words, style="yellow", markup=False, highlight=False, soft_wrap=True)


def refuse(broken: TrailBroken) -> NoReturn:
    """Nothing may be added to a trail that contradicts what was signed."""
    remedy = "It takes no entry until a person looks: keep this database as it is, and run `doorstep trail verify`."
    fail(Exit.WRONG, f"The trail does not start. {broken}\n{remedy}")


def run(work: Coroutine[None, None, None]) -> None:
    """Run a process's work to its end."""
    with runner() as running:
        running.run(work)


def _show(system: Embedded, settings: Settings, tokens: dict[str, str]) -> None:
    out.print(f"Doorstep is up, data in {settings.data_dir}. Ctrl-C ends it.\n", highlight=False, soft_wrap=True)
    for name in PARTS:
        out.print(f"  {name:<9} {system.base_url}/{name}/v1/docs", highlight=False)
    out.print("\nDevelopment tokens, good for a week (Authorization: Bearer …):\n")
    for role, value in tokens.items():
        out.print(f"  {role}", style="bold")
        out.print(f"  {value}\n", soft_wrap=True, highlight=False)
    for line in WHO_THEY_ARE:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def time_of(option: str, text: str) -> datetime:
    """The time that an option states."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or not STATED_YEAR_MIN <= time.year <= YEAR_MAX:
        fail(Exit.USAGE, f"{option} {text}: write a time with its offset, such as 2026-03-02T08:00:00+08:00")
    return time


def development_tokens(settings: Settings) -> dict[str, str]:
    """One token a role, of the development issuer."""
    roles = [Role.ADMIN, Role.SUPERVISOR, Role.COMPLIANCE, Role.COLLECTOR, Role.CALLER, Role.LENDER]
    return {role.value: development_token(settings, role, lender=DEVELOPMENT_LENDER) for role in roles}


def development_token(settings: Settings, role: Role, *, subject: str | None = None, lender: str = "") -> str:
    """A token of the development issuer, which must have its key already. A collector's subject is a collector's id."""
    key = keys.existing_key(settings, "issuer")
    default = str(DEVELOPMENT_COLLECTOR) if role is Role.COLLECTOR else f"development-{role}"
    return issue_token(
        key,
        key_id=keys.key_id(key.public_key()),
        issuer=DEVELOPMENT_ISSUER,
        audience=settings.oidc_audience,
        subject=subject or default,
        roles=[role],
        seconds=TOKEN_SECONDS,
        lender_id=lender if role is Role.LENDER else None,
    )


def serve_service(
    service: Annotated[str, typer.Argument(help="cases, visits, followup or audit")],
    role: Annotated[str, typer.Argument(help="api or worker")],
    port: PortOption = 8080,
    host: Annotated[str, typer.Option(help="address of this machine to answer on")] = "127.0.0.1",
) -> None:
    """One process of the distributed form. Its settings come from the environment; a worker's port answers for its
    health and metrics only."""
    part = part_of(service)
    if role not in ("api", "worker"):
        fail(Exit.USAGE, f"{role}: the role of a process is api or worker")
    settings = part.settings.load()
    set_up_logging(settings.log_level)
    set_up_tracing(settings.otlp_endpoint, f"{service}-{role}")
    runtime = Runtime(part.service, settings)
    work = _serve_api if role == "api" else _serve_worker
    try:
        with bound(host, port) as listening:
            run(work(part, runtime, listening))
    except TopicsWrong as wrong:
        fail(Exit.WRONG, str(wrong))
    except TrailBroken as broken:
        refuse(broken)


async def _serve_api(part: Part, runtime: Runtime, listening: socket) -> None:
    notifying = asyncio.create_task(Notifier(runtime).run())
    try:
        await serve(part.create_app(runtime), settings=runtime.settings, listening=listening)
    finally:
        notifying.cancel()


async def _serve_worker(part: Part, runtime: Runtime, listening: socket) -> None:
    stop, ended = asyncio.Event(), asyncio.Event()
    await runtime.start()
    working = asyncio.create_task(part.create_worker(runtime).run(stop))
    working.add_done_callback(lambda _: ended.set())
    try:
        await serve(create_health_app(runtime), settings=runtime.settings, listening=listening, until=ended)
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
    parts = [part_of(name) for name in ([service] if service else PARTS)]
    all_settings = [part.settings.load(**given(data_dir=data)) for part in parts]
    with ExitStack() as stack:
        for folder in dict.fromkeys(each.data_dir for each in all_settings if each.database_url is None):
            stack.enter_context(data_folder.locked(folder, "migrate"))
        for part, settings in zip(parts, all_settings, strict=True):
            name = part.service.name
            migrations.upgrade(part.service.migrations, settings.database_url_of(name))
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
    subject: Annotated[str | None, typer.Option(help="who it is; of a collector, the collector's id")] = None,
    data: DataOption = None,
    keys_dir: KeysOption = None,
) -> None:
    """A development token (embedded issuer only)."""
    settings = Settings.load(**given(data_dir=data, keys_dir=keys_dir))
    if settings.oidc_issuer:
        fail(Exit.USAGE, "Tokens come from DOORSTEP_OIDC_ISSUER here; development tokens would not be accepted.")
    if role is Role.LENDER and not lender:
        fail(Exit.USAGE, "A lender's token names its lender: add --lender ID")
    typer.echo(development_token(settings, role, subject=subject, lender=lender))
