"""The registry as an AsyncAPI 3 document: what a team needs to read our topics with any Kafka client."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.events.registry import EVENTS, TOPICS, Topic, owner_of
from shared.events.schemas import sample_of, schema_of

VERSION = "3.0.0"
_TEXT = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}
HEADERS: dict[str, dict[str, Any]] = {
    "content-type": {"const": "application/json", "description": "of the data; CloudEvents in Kafka's binary mode"},
    "ce_specversion": {"const": "1.0", "description": "of CloudEvents"},
    "ce_id": {**_UUID, "description": "the event; the same when it is delivered again, so handle each id once"},
    "ce_source": {**_TEXT, "description": "the service that says so, such as /visits"},
    "ce_type": {**_TEXT, "description": "what happened, with the major of its data"},
    "ce_time": {**_TEXT, "format": "date-time", "description": "when it happened, in business time (UTC)"},
    "ce_subject": {**_UUID, "description": "the aggregate that it happened to"},
    "ce_dataschema": {**_TEXT, "description": "name of the data's schema"},
    "ce_partitionkey": {**_UUID, "description": "the message's key: the case, else the aggregate itself"},
    "ce_sequence": {**_TEXT, "pattern": "^[0-9]+$", "description": "version of the aggregate after the event, from 1"},
    "ce_actor": {**_TEXT, "description": "who acted, as role:opaque-id"},
    "ce_correlationid": {**_TEXT, "description": "the request or job that began the thread of events"},
    "ce_causationid": {**_TEXT, "description": "the event that this one follows from, if any"},
    "ce_lenderid": {**_TEXT, "description": "the lender whose case it is about, if any"},
    "ce_traceparent": {**_TEXT, "description": "W3C trace context, if the cause was traced"},
    "ce_retention": {**_TEXT, "description": "the rule that says how long records of it are kept, such as us-retain"},
}
OPTIONAL_HEADERS = ("ce_causationid", "ce_lenderid", "ce_traceparent", "ce_retention")


def document(listeners: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The document; `listeners` names the services that handle each type."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Doorstep events",
            "version": "1.0.0",
            "description": "What happens in field-visit debt collection. Other teams may read, not publish.",
        },
        "defaultContentType": "application/json",
        "channels": {_key(topic.name): _channel(topic) for topic in TOPICS.values()},
        "operations": {
            f"publish-{_key(topic.name)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_key(topic.name)}"},
                "description": f"by {topic.owner}",
            }
            for topic in TOPICS.values()
        },
        "components": {
            "schemas": {"headers": _headers()},
            "messages": {_name(wire_type): _message(wire_type, listeners.get(wire_type, ())) for wire_type in EVENTS},
        },
    }


def _key(topic: str) -> str:
    return topic.replace(".", "-")


def _name(wire_type: str) -> str:
    return wire_type.removeprefix("doorstep.").replace(".", "-")


def _channel(topic: Topic) -> dict[str, Any]:
    inside = [wire_type for wire_type, event in EVENTS.items() if event.topic == topic.name]
    return {
        "address": topic.name,
        "description": "Order holds among the messages of a key, and across no two topics.",
        "messages": {_name(each): {"$ref": f"#/components/messages/{_name(each)}"} for each in inside},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(wire_type: str, listeners: Sequence[str]) -> dict[str, Any]:
    event = EVENTS[wire_type]
    schema = {key: value for key, value in schema_of(event).items() if key not in ("$schema", "$id", "x-topic")}
    return {
        "name": wire_type,
        "title": event.__name__,
        "summary": " ".join((event.__doc__ or "").split()),
        "description": f"Published by {owner_of(event)}. Handled by {', '.join(listeners) or 'no service'}.",
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": _inlined(schema, schema.get("$defs", {})),
        "examples": [{"name": "sample", "payload": sample_of(event)}],
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"}},
    }


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema that refers to nothing, so that it can be taken out of the document as it stands."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}


def _headers() -> dict[str, Any]:
    required = [name for name in HEADERS if name not in OPTIONAL_HEADERS]
    return {"type": "object", "properties": HEADERS, "required": required}
