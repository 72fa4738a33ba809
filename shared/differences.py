"""What one version of a document changes against another, field by field, in words. A text of two languages each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOTHING = ("nothing", "無")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `rule_id` is None where it is the document's own; `field` where a whole rule is new or gone."""

    rule_id: str | None
    field: str | None
    before: Any
    after: Any
    en: str
    zh: str


def flat(document: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The fields of a document, those of its sections by their path."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{path}{name}.")
        else:
            found[f"{path}{name}"] = value
    return found


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], called: tuple[str, str], rule_id: str | None = None
) -> Iterator[Change]:
    """The fields that differ; a field that is absent equals None. `called`: the document in English and Chinese."""
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old != new:
            en = f"{called[0]}: {name} was {_shown(old, 0)}, is now {_shown(new, 0)}."
            zh = f"{called[1]}：{name} 由 {_shown(old, 1)} 改為 {_shown(new, 1)}。"
            yield Change(rule_id, name, old, new, en, zh)


def _shown(value: Any, language: int) -> str:
    if value is None or value == []:
        return NOTHING[language]
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def in_words(changes: Sequence[Change]) -> dict[str, list[str]]:
    return {"en": [change.en for change in changes], "zh": [change.zh for change in changes]}
