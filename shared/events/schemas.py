"""The JSON schema and a sample of each event, out of its model: what other teams rely on."""

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from shared.events.envelope import Event
from shared.events.glossary import MEANINGS, SAMPLES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BY_FORMAT = {"date": "2026-03-02", "date-time": "2026-03-02T10:00:00+08:00"}
_BY_TYPE: dict[str, object] = {"string": "CODE", "integer": 1, "number": 1, "boolean": False, "object": {}}


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The data of an event as JSON Schema 2020-12, every field described. Readers must pass over fields that they do
    not know, since optional ones may be added."""
    schema = _plain(event.model_json_schema(mode="serialization"))
    return {"$schema": DIALECT, "$id": f"doorstep:schemas/{event.type}", "x-topic": event.topic, **schema}


def sample_of(event: type[Event]) -> dict[str, Any]:
    """An event with all its fields, made up, the same each time."""
    schema = schema_of(event)
    sample: dict[str, Any] = _sample("", schema, schema.get("$defs", {}))
    return event.model_validate(sample).model_dump(mode="json", exclude_none=True)


def _plain(schema: Any, name: str = "") -> Any:
    """Without titles and nulls (a field that is not there is absent, never null), with what each field means."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        schema = {**schema, "properties": {key: _plain(value, key) for key, value in schema["properties"].items()}}
    if "$defs" in schema:
        schema = {**schema, "$defs": {key: _plain(value) for key, value in schema["$defs"].items()}}
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **choices[0]}
    kept = {key: value for key, value in schema.items() if key != "title" and (key, value) != ("default", None)}
    if name and "description" not in kept and name in MEANINGS:
        kept["description"] = MEANINGS[name]
    return kept


def _sample(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(name, definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "properties" in schema:
        return {key: _sample(key, value, definitions) for key, value in schema["properties"].items()}
    if "examples" in schema:
        return schema["examples"][0]
    if name in SAMPLES:
        return SAMPLES[name]
    if schema.get("type") == "array":
        return [_sample(name.removesuffix("s"), schema["items"], definitions)]
    if schema.get("format") == "uuid":
        return str(uuid5(NAMESPACE_OID, name))
    if "digest" in name or "commitment" in name:
        return "5a" * 32
    return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE[schema.get("type", "object")])
