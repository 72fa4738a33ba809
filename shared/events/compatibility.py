"""What may change in an event that others rely on: within a major, optional fields may be added, and descriptions may
become clearer. Everything else is a new major with an upcaster.
"""

from collections.abc import Iterator
from typing import Any

# What a schema may say besides its fields, all of it binding: a looser or a tighter word both break somebody.
_BINDING = (
    "type", "format", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minLength", "maxLength", "minItems", "maxItems", "additionalProperties", "anyOf", "oneOf", "allOf", "x-topic",
)  # fmt: skip


def problems(wire_type: str, old: dict[str, Any], new: dict[str, Any] | None) -> list[str]:
    """Each forbidden change of an event's data as a sentence that says what to do instead; none where all is well."""
    name, _, major = wire_type.rpartition(".v")
    instead = f"Keep it as it was, or publish {name}.v{int(major) + 1} with an upcaster (docs/events/README.md)."
    if new is None:
        return [f"{wire_type}: the type is gone from the registry, but history holds such events. {instead}"]
    return [f"{wire_type}: {change}. {instead}" for change in _changes("", _Shape(old, old), _Shape(new, new))]


class _Shape:
    """A schema within a document that defines what it refers to."""

    def __init__(self, document: dict[str, Any], schema: Any) -> None:
        self._document = document
        while isinstance(schema, dict) and "$ref" in schema:
            schema = document["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        self.schema: dict[str, Any] = schema if isinstance(schema, dict) else {}

    def within(self, schema: Any) -> "_Shape":
        return _Shape(self._document, schema)

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = self.schema.get("properties", {})
        return found

    @property
    def required(self) -> set[str]:
        return set(self.schema.get("required", []))

    def expanded(self, schema: Any) -> Any:
        """A schema with all references put in, to be compared as a whole."""
        if isinstance(schema, list):
            return [self.expanded(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        found = self.within(schema).schema
        return {key: self.expanded(value) for key, value in found.items() if key not in ("description", "$defs")}


def _changes(path: str, old: _Shape, new: _Shape) -> Iterator[str]:
    place = f"the field {path}" if path else "the data"
    for word in _BINDING:
        before, after = old.expanded(old.schema.get(word)), new.expanded(new.schema.get(word))
        if before != after:
            yield f"{place} changed its {word} from {before!r} to {after!r}"
    for name in old.fields:
        inner = f"{path}.{name}" if path else name
        if name not in new.fields:
            yield f"the field {inner} was removed or renamed"
            continue
        if name in old.required - new.required:
            yield f"the field {inner} became optional, but readers count on it"
        if name in new.required - old.required:
            yield f"the field {inner} became required, but older events lack it"
        yield from _changes(inner, old.within(old.fields[name]), new.within(new.fields[name]))
    for name in new.fields.keys() - old.fields.keys():
        if name in new.required:
            yield f"the new field {f'{path}.{name}' if path else name} is required, but older events lack it"
    if "items" in old.schema and "items" in new.schema:
        yield from _changes(f"{path}[]", old.within(old.schema["items"]), new.within(new.schema["items"]))
