"""The registry: every event type, its topic and its owner, and how many partitions each topic has.

It is the one place that says what may be published; who publishes anything else fails at once.
"""

from dataclasses import dataclass

from shared.events import audit, cases, followup, operations, upcasters, visits
from shared.events.envelope import Event, unknown_type
from shared.events.upcasters import FutureVersion, name_of

__all__ = [
    "EVENTS",
    "EVERY_SERVICE",
    "TOPICS",
    "FutureVersion",
    "Topic",
    "event_class",
    "may_publish",
    "name_of",
    "owner_of",
    "partitions_of",
    "read_event",
]

EVERY_SERVICE = "every service"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its partition count; retention is unlimited, since history is what projections are rebuilt from."""

    name: str
    owner: str
    partitions: int


TOPICS = {
    topic.name: topic
    for topic in (
        Topic(cases.TOPIC, "cases", 6),
        Topic(visits.TOPIC, "visits", 6),
        Topic(followup.TOPIC, "followup", 6),
        Topic(audit.TOPIC, "audit", 1),
        Topic(operations.TOPIC, EVERY_SERVICE, 1),
    )
}


def partitions_of(topic: str) -> int:
    """How many partitions a topic has; a topic of dead letters has one."""
    return TOPICS[topic].partitions if topic in TOPICS else 1


def _concrete(kind: type[Event]) -> list[type[Event]]:
    found = [kind] if "type" in vars(kind) else []
    return found + [event for child in kind.__subclasses__() for event in _concrete(child)]


EVENTS: dict[str, type[Event]] = {event.type: event for event in sorted(_concrete(Event), key=lambda e: e.type)}


def event_class(wire_type: str) -> type[Event]:
    """The payload class of a wire type. Raises Undecodable for a type that is not registered."""
    try:
        return EVENTS[wire_type]
    except KeyError:
        raise unknown_type(wire_type) from None


def read_event(wire_type: str, value: bytes) -> Event:
    """The event of a message, in its newest major. Raises Undecodable, or FutureVersion for a newer major."""
    return upcasters.read(wire_type, value, EVENTS, upcasters.UPCASTERS)


def owner_of(event: type[Event]) -> str:
    """The one service that may publish this event, or EVERY_SERVICE."""
    return TOPICS[event.topic].owner


def may_publish(service: str, event: type[Event]) -> bool:
    return owner_of(event) in (service, EVERY_SERVICE)
