"""What a service does on events: one at a time, or all of a type in a batch together.

The one rule: the events of a key are handled in the order in which they were published, whatever their types.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.bus.transport import Record
from shared.database import Context, Transaction
from shared.events.envelope import Envelope, Event
from shared.events.registry import FutureVersion

Handler = Callable[[Transaction, Any, Envelope], Awaitable[None]]
OneEvent = TypeVar("OneEvent", bound=Event)


@dataclass(frozen=True, slots=True)
class Heard(Generic[OneEvent]):
    """An event of a batch. Whatever is published because of it is published in its `context`."""

    event: OneEvent
    envelope: Envelope
    context: Context


@dataclass(frozen=True, slots=True)
class ByBatch(Generic[OneEvent]):
    """A handler that takes the events of its type together, those of a key in their order. It reads ahead for all of
    them; then, for each, it sets the transaction's context and does its part."""

    handle: Callable[[Transaction, Sequence[Heard[OneEvent]]], Awaitable[None]]

    async def __call__(self, tx: Transaction, event: OneEvent, envelope: Envelope) -> None:
        await self.handle(tx, [Heard(event, envelope, tx.context)])


def in_turn(*handlers: Handler) -> Handler:
    """One handler out of several rooms' handlers of the same event, in this order."""
    if len(handlers) == 1:
        return handlers[0]

    async def handle(tx: Transaction, event: Any, envelope: Envelope) -> None:
        for handler in handlers:
            await handler(tx, event, envelope)

    return handle


@dataclass(frozen=True, slots=True)
class Received:
    """A record that was understood: its envelope and its event, or the newer version of it that it must wait for."""

    record: Record
    envelope: Envelope
    event: Event | FutureVersion


def in_groups(items: Sequence[Received], handlers: Mapping[type[Event], Handler]) -> list[list[Received]]:
    """Groups of events of one type, to be handled in this order: one event each, or more where the type's handler takes
    batches. Events of a key keep their order across types: an event never joins a group that is handled before the
    group of an earlier event of its key."""
    groups: list[list[Received]] = []
    last_of_key: dict[str, int] = {}
    newest: dict[type[Event | FutureVersion], int] = {}
    for item in items:
        kind = type(item.event)
        number = newest.get(kind, -1)
        if number < last_of_key.get(item.record.key, 0) or not _takes_batches(handlers, item):
            groups.append([])
            number = newest[kind] = len(groups) - 1
        groups[number].append(item)
        last_of_key[item.record.key] = number
    return groups


def _takes_batches(handlers: Mapping[type[Event], Handler], item: Received) -> bool:
    return isinstance(item.event, Event) and isinstance(handlers[type(item.event)], ByBatch)
