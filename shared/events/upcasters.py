"""Older majors of an event: their classes stay, and a step turns each into the next, so that handlers know the newest
only. History is never rewritten."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.events.envelope import Event, Undecodable, decode, unknown_type

Step = Callable[[Any], Event]

# Old event class → the step to the next major. Nothing had to change yet.
UPCASTERS: dict[type[Event], Step] = {}


class FutureVersion(Undecodable):
    """A newer major of an event than this program knows: it must wait until the program is newer, too."""


def name_of(wire_type: str) -> str:
    """A type without its major: doorstep.cases.case-held.v1 → doorstep.cases.case-held."""
    return wire_type.rpartition(".v")[0]


def major_of(wire_type: str) -> int:
    """1 of doorstep.cases.case-held.v1; 0 where there is none."""
    digits = wire_type.rpartition(".v")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def read(wire_type: str, value: bytes, events: Mapping[str, type[Event]], steps: Mapping[type[Event], Step]) -> Event:
    """An event in its newest major. Raises Undecodable for an unknown type or a wrong form, FutureVersion
    for a newer major of a type that is known."""
    kind = events.get(wire_type)
    if kind is None:
        majors = [major_of(known) for known in events if name_of(known) == name_of(wire_type)]
        if majors and major_of(wire_type) > max(majors):
            raise FutureVersion(f"{wire_type} is newer than this program: update it, then replay")
        raise unknown_type(wire_type)
    event: Event = decode(kind, value)
    while type(event) in steps:
        event = steps[type(event)](event)
    return event
