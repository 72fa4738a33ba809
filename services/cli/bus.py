"""`doorstep bus`: how the services stand with the bus, and what cures them. The same as their HTTP forms do, straight
on their databases, so that it works while they are down."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from services.cli.each_service import Answer, ServiceArgument, for_each
from services.cli.processes import part_of, time_of
from services.embedded import PARTS
from shared.bus import parking
from shared.bus.kafka.topics import Mend, TopicsWrong, topics_of
from shared.bus.kafka.transport import KafkaTransport
from shared.bus.parking import Choice
from shared.bus.projections import Projection, Rebuilt
from shared.bus.status import BusStatus
from shared.bus.transport import TransportDown
from shared.cli.options import DataOption, JsonOption, given
from shared.cli.output import Exit, err, fail, out, print_json
from shared.database import Context
from shared.events.envelope import ActorRef
from shared.runtime import Runtime, brokers_of
from shared.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The event bus: see, cure, rebuild.")

OPERATOR = ActorRef("operator", "command-line")


def register(program: typer.Typer) -> None:
    program.add_typer(app, name="bus")


@app.command("status")
def show_status(service: ServiceArgument = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """What waits to be published, handled and cured, for each service. Exit 1 when a person should look."""

    async def look(runtime: Runtime) -> BusStatus:
        async with runtime.database.reading() as tx:
            return await runtime.bus_status(tx)

    found = _for_each(service, data, look)
    if as_json:
        print_json([status.model_dump() for status in found])
    else:
        for status in found:
            _show_status(status)
    raise typer.Exit(Exit.DONE if all(status.well for status in found) else Exit.WRONG)


def _show_status(status: BusStatus) -> None:
    outbox, consumer, relay = status.outbox, status.consumer, status.relay
    publishing = (
        f"by {relay.holder}, epoch {relay.epoch}" if relay and relay.expires_in_seconds > 0 else "by no process now"
    )
    lag = ", ".join(f"{count} of {topic}" for topic, count in consumer.topics.items() if count) or "nothing"
    out.print(f"{status.service}: {'well' if status.well else 'NEEDS YOU'}", style="bold", highlight=False)
    out.print(f"  publishes {publishing}; {outbox.pending} waiting, the oldest {outbox.oldest_seconds:.0f} s")
    out.print(f"  still to handle: {lag}")
    if consumer.halted:
        out.print(f"  HALTED until a person has looked: {consumer.halted}", style="red", markup=False, soft_wrap=True)
    for topic, count in consumer.beyond.items():
        out.print(f"  {count} events of {topic} were handled and are not on the bus any more", style="red")
    if outbox.parked_keys:
        out.print(f"  {outbox.parked_keys} keys wait behind an event that cannot be sent", style="red")
    if consumer.parked_keys:
        out.print(
            f"  {consumer.parked_events} events of {consumer.parked_keys} keys are parked. Why: `doorstep bus parked "
            f"{status.service}`; to try again: `doorstep bus replay {status.service} --all`",
            style="red",
        )
    if consumer.dead_letters:
        out.print(
            f"  {consumer.dead_letters} records could not be read: see the topics *.{status.service}.dlq", style="red"
        )


@app.command("parked")
def show_parked(service: ServiceArgument = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """The events that wait, and why."""

    async def look(runtime: Runtime) -> tuple[str, list[parking.Parked]]:
        found: list[parking.Parked] = []
        async with runtime.database.reading() as tx:
            name, tables = runtime.service.name, runtime.service.tables.bus
            while more := await parking.waiting(tx, tables, name, after=found[-1].id if found else 0):
                found += more
        return name, found

    by_service = dict(_for_each(service, data, look))
    if as_json:
        names = ("event_id", "key", "type", "topic", "attempts", "error", "parked_at")
        print_json(
            [
                {"service": name, **{field: _plain(getattr(event, field)) for field in names}}
                for name, events in by_service.items()
                for event in events
            ]
        )
        return
    if not any(by_service.values()):
        out.print("Nothing is parked.")
        return
    for name, events in by_service.items():
        for event in events:
            _show_parked(name, event)


def _show_parked(service: str, event: parking.Parked) -> None:
    """Three lines, whatever the width of the terminal: ids are there to be copied."""
    since = event.parked_at.isoformat(timespec="seconds")
    tries = f"failed {event.attempts} times: {event.error}" if event.attempts else event.error
    out.print(f"{service}: {event.type} of {event.key}", style="bold", highlight=False, soft_wrap=True)
    out.print(f"  {tries}; parked since {since}", highlight=False, soft_wrap=True)
    out.print(f"  doorstep bus replay {service} --event {event.event_id}", highlight=False, soft_wrap=True)


def _plain(value: object) -> object:
    return value if isinstance(value, int) else str(value)


@app.command("apply")
def apply_topics(
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False, as_json: JsonOption = False
) -> None:
    """Hold the topics at the brokers to the registry: show what differs, then create and mend. Refuses what would break
    the order of a case's events. Exit 1 where something is refused."""
    settings = Settings.load()
    if settings.kafka_bootstrap is None:
        words = "The bus is embedded: there are no brokers, and nothing to apply. Set DOORSTEP_KAFKA_BOOTSTRAP."
        (err if as_json else out).print(words)
        if as_json:
            print_json([])
        return
    transport = KafkaTransport(brokers_of(settings, settings.kafka_bootstrap), client="doorstep-apply")
    try:
        asyncio.run(_apply(transport, yes=yes, as_json=as_json))
    except TopicsWrong as wrong:
        fail(Exit.WRONG, str(wrong))
    except (TransportDown, OSError) as error:
        fail(Exit.MISSING, f"{error}. Are {settings.kafka_bootstrap} and the other settings DOORSTEP_KAFKA_… right?")


async def _apply(transport: KafkaTransport, *, yes: bool, as_json: bool) -> None:
    names = topics_of({name: part.service.listens_to for name, part in PARTS.items()})
    try:
        async with transport.topics() as topics:
            found = await topics.differences(names)
            if as_json:
                print_json([{"topic": each.topic, "mend": each.mend, "difference": each.words} for each in found])
            else:
                for each in found:
                    out.print(f"{each.mend:<9} {each.topic} {each.words}", highlight=False, soft_wrap=True)
            can = [each for each in found if each.mend is not Mend.REFUSE]
            if can and (yes or typer.confirm(f"Make these {len(can)} changes?", err=True)):
                await topics.mend(can)
                found = await topics.left(names)
    finally:
        await transport.close()
    if found:
        fail(Exit.WRONG, f"{len(found)} differences are left: see above.")
    if not as_json:
        out.print(f"All {len(names)} topics are as the registry says.")


@app.command()
def replay(
    service: Annotated[str, typer.Argument(help="cases, visits or followup")],
    key: Annotated[UUID | None, typer.Option(help="the parked events of this key (a case id)")] = None,
    event: Annotated[UUID | None, typer.Option(help="those of this event's key, up to and with it")] = None,
    before: Annotated[str | None, typer.Option(help="all keys parked before this time (RFC 3339)")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all parked events")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run parked events again, each key in order. The trail keeps that it was done. Exit 1 where some failed again."""
    if sum((key is not None, event is not None, before is not None, everything)) != 1:
        fail(Exit.USAGE, "Name what to run again: --key, --event, --before or --all")
    choice = Choice(key, event, time_of("--before", before) if before else None)
    [done] = _for_each(service, data, lambda runtime: runtime.replay(choice, Context(actor=OPERATOR)))
    if as_json:
        counts = {"cured": done.cured, "still_parked": done.still_parked, "released": done.released}
        print_json({"service": service, "keys": list(done.keys), **counts})
    else:
        out.print(f"{service}: {done.cured} events handled now, {done.still_parked} still parked.")
        if done.released:
            out.print(f"{done.released} events that could not be sent will be tried again.")
        if done.still_parked:
            out.print(f"Why: `doorstep bus parked {service}`.")
    raise typer.Exit(Exit.WRONG if done.still_parked else Exit.DONE)


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help="cases, visits or followup")],
    projection: Annotated[str | None, typer.Argument(help="its name; default: all of the service")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rebuild projections from all events beside the live ones, then replace those. Publishes nothing but
    that it was done."""
    there = part_of(service).service.projections
    wanted = [each for each in there if projection in (None, each.name)]
    if not wanted:
        names = ", ".join(each.name for each in there) or "none"
        fail(Exit.USAGE, f"{service} has these projections: {names}")
    rebuilt = []
    for each in wanted:
        err.print(f"{service}: rebuilding {each.name} …")
        [done] = _for_each(service, data, partial(_rebuild, each))
        rebuilt.append({"projection": each.name, "events": done.events, "rows": done.rows})
        if not as_json:
            out.print(f"{service}: {each.name} has {done.rows} rows now, out of {done.events} events.")
    if as_json:
        print_json(rebuilt)


async def _rebuild(projection: Projection, runtime: Runtime) -> Rebuilt:
    return await runtime.rebuild(projection).run(Context(actor=OPERATOR))


def _for_each(service: str | None, data: DataOption, act: Callable[[Runtime], Awaitable[Answer]]) -> list[Answer]:
    """Act on one service or on all, each with its bus."""

    async def with_bus(runtime: Runtime) -> Answer:
        await runtime.transport.start()
        return await act(runtime)

    return for_each(service, given(data_dir=data), with_bus)
