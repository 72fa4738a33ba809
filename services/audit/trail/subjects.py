"""The subjects of an entry: the cases, visits, collectors, debtors and promises that its event names, at any depth, and
the collector who acted. The table follows from the registry of events; docs/events shows it event by event.
"""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

from shared.events.registry import EVENTS

KIND_OF_FIELD = {
    "case_id": "case",
    "case_ids": "case",
    "visit_id": "visit",
    "collector_id": "collector",
    "collector_ids": "collector",
    "earlier_collector_ids": "collector",
    "debtor_id": "debtor",
    "promise_id": "promise",
    "by_promise_id": "promise",
}
COLLECTOR = "collector"

Path = tuple[str, ...]


def paths_of(kind: type[BaseModel]) -> dict[Path, str]:
    """Where an event names subjects, and their kinds. ("check_ins", "collector_id"): that field of each check-in."""
    found: dict[Path, str] = {}
    for name, field in kind.model_fields.items():
        if name in KIND_OF_FIELD:
            found[(name,)] = KIND_OF_FIELD[name]
        for value in _models_in(field.annotation):
            found |= {(name, *path): subject for path, subject in paths_of(value).items()}
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, list, tuple):
        for part in get_args(annotation):
            yield from _models_in(part)


SUBJECTS_OF: Mapping[str, Mapping[Path, str]] = {type: paths_of(event) for type, event in EVENTS.items()}
"""Of each wire type."""


def subjects_of(type: str, data: Mapping[str, Any], actor: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Kind and id of each subject, as the event spells it. `actor` is (role, id); a collector is a subject of each own
    act, unless the id is none of ours (a development token's)."""
    for path, kind in SUBJECTS_OF[type].items():
        for item in _at(data, path):
            yield kind, item
    if actor[0] == COLLECTOR and is_id(actor[1]):
        yield actor


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _at(value: Any, path: Path) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        if value:
            yield str(value)
    elif isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])
