"""What columns and indexes beside a leaf say, as they follow from its event. Its one rule: the sequencer writes by
these functions, and a verification holds the tables to them; so they need nothing but what a leaf holds."""

from collections.abc import Mapping
from typing import Any

_RULES = ("deciding", "rules", "rule_id")


def case_of(data: Mapping[str, Any]) -> str | None:
    """The case that an event is about, as the column holds it."""
    case_id = data.get("case_id")
    return None if case_id is None else str(case_id)


def rules_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The rules that decided an event, each once, in a stable order."""
    named: dict[str, None] = {}
    for name in [name for name in _RULES if name in data]:
        value = data[name]
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, str):
                named[item] = None
    return tuple(named)


def aggregate_ref(topic: str, aggregate_id: object) -> str:
    """An aggregate with the service that counts its versions: cases and followup both publish about a case."""
    return f"{topic.partition('.')[0]}:{aggregate_id}"
