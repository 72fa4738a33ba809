"""The contract of the events: golden schemas, what may not change, and older majors."""

import copy
import json
from datetime import datetime
from typing import ClassVar
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from docs.generate import SCHEMAS, broken_promises, golden_of, pages
from shared.events import upcasters
from shared.events.asyncapi import HEADERS, OPTIONAL_HEADERS
from shared.events.cases import CaseHeld, CaseReleased
from shared.events.compatibility import problems
from shared.events.envelope import ActorRef, Envelope, Event, Undecodable
from shared.events.glossary import MEANINGS, SAMPLES
from shared.events.registry import EVENTS, FutureVersion, read_event
from shared.events.schemas import schema_of
from shared.ids import new_id

HELD = CaseHeld.type


def test_what_was_generated_is_what_the_code_says():
    stale = [path.name for path, text in pages().items() if not path.exists() or path.read_text() != text]
    assert stale == []
    assert broken_promises() == []


@pytest.mark.parametrize("wire_type", EVENTS)
def test_every_sample_fits_its_schema_and_is_read(wire_type):
    schema = json.loads(golden_of(wire_type).read_text())
    sample = golden_of(wire_type).with_suffix(".sample.json").read_bytes()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(sample))
    assert type(read_event(wire_type, sample)) is EVENTS[wire_type]


@pytest.mark.parametrize("wire_type", EVENTS)
def test_every_field_says_what_it_means(wire_type):
    schema = schema_of(EVENTS[wire_type])
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]
        silent = [name for name, field in part["properties"].items() if not field.get("description")]
        assert silent == []


def test_the_glossary_holds_no_word_that_nobody_uses():
    used = set()
    for event in EVENTS.values():
        schema = schema_of(event)
        for part in (schema, *schema.get("$defs", {}).values()):
            used |= part["properties"].keys()
    assert MEANINGS.keys() | SAMPLES.keys() <= used


def test_goldens_hold_no_type_that_is_not_registered():
    goldens = {f"{path.parent.name}.{path.stem}" for path in SCHEMAS.glob("*/v*.json") if "sample" not in path.name}
    assert goldens == set(EVENTS)


def drop(schema):
    del schema["properties"]["review_on"]
    schema["required"].remove("review_on")


def rename(schema):
    schema["properties"]["review_day"] = schema["properties"].pop("review_on")
    schema["required"] = ["review_day" if name == "review_on" else name for name in schema["required"]]


def retype(schema):
    schema["properties"]["review_on"]["type"] = "integer"


def reformat(schema):
    schema["properties"]["review_on"]["format"] = "date-time"


def require(schema):
    schema["required"].append("note")


def relax(schema):
    schema["required"].remove("review_on")


def add_required(schema):
    schema["properties"]["weight"] = {"type": "integer"}
    schema["required"].append("weight")


def narrow_values(schema):
    schema["properties"]["scope"]["enum"] = ["visit"]


def narrow_range(schema):
    schema["properties"]["note"]["maxLength"] = 3


def shut(schema):
    schema["additionalProperties"] = False


def other_topic(schema):
    schema["x-topic"] = "cases.other.v1"


def nested(schema):
    schema["$defs"]["Amount"]["properties"].pop("currency")
    schema["$defs"]["Amount"]["required"] = ["amount"]


def nested_in_a_list(schema):
    schema["properties"]["parts"]["items"]["properties"]["due_on"]["format"] = "date-time"


def of_a_list(schema):
    schema["properties"]["parts"]["items"] = {"type": "string"}


def null(schema):
    schema["properties"]["scope"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}


FORBIDDEN = [drop, rename, retype, reformat, require, relax, add_required, narrow_values, narrow_range, shut]
FORBIDDEN += [other_topic, nested, nested_in_a_list, of_a_list, null]


def promised():
    """A schema with everything in it that can change."""
    schema = schema_of(CaseHeld)
    schema["properties"]["note"] = {"type": "string"}
    schema["properties"]["fee"] = {"$ref": "#/$defs/Amount"}
    part = {"type": "object", "properties": {"due_on": {"type": "string", "format": "date"}}, "required": ["due_on"]}
    schema["properties"]["parts"] = {"type": "array", "items": part}
    amount = {"amount": {"type": "string"}, "currency": {"type": "string"}}
    schema["$defs"] = {"Amount": {"type": "object", "properties": amount, "required": ["amount", "currency"]}}
    return schema


@pytest.mark.parametrize("change", FORBIDDEN, ids=lambda change: change.__name__)
def test_a_forbidden_change_is_named_with_what_to_do_instead(change):
    new = copy.deepcopy(promised())
    change(new)
    found = problems(HELD, promised(), new)
    assert found
    assert all(
        sentence.startswith(f"{HELD}: ") and "publish doorstep.cases.case-held.v2" in sentence for sentence in found
    )


def test_a_type_may_not_go():
    [sentence] = problems(HELD, promised(), None)
    assert "gone from the registry" in sentence


def add_optional(schema):
    schema["properties"]["more"] = {"type": "string"}


def say_better(schema):
    schema["properties"]["scope"]["description"] = "clearer"
    schema["description"] = "clearer"


@pytest.mark.parametrize("change", [add_optional, say_better], ids=lambda change: change.__name__)
def test_what_hurts_nobody_is_allowed(change):
    new = copy.deepcopy(promised())
    change(new)
    assert problems(HELD, promised(), new) == []


class Greeted(Event):
    """Two names in one."""

    type: ClassVar[str] = "tests.greeted.v1"
    topic: ClassVar[str] = "cases.case.v1"
    whom: str


class GreetedAgain(Event):
    """Since v2 the two are apart."""

    type: ClassVar[str] = "tests.greeted.v2"
    topic: ClassVar[str] = "cases.case.v1"
    first: str
    last: str


def apart(old):
    first, _, last = old.whom.partition(" ")
    return GreetedAgain(first=first, last=last)


def test_an_older_major_reaches_handlers_as_the_newest():
    known, steps = {kind.type: kind for kind in (Greeted, GreetedAgain)}, {Greeted: apart}
    old = upcasters.read("tests.greeted.v1", b'{"whom": "Ada Lovelace"}', known, steps)
    new = upcasters.read("tests.greeted.v2", b'{"first": "Ada", "last": "Lovelace"}', known, steps)
    assert old == new == GreetedAgain(first="Ada", last="Lovelace")


def test_a_newer_major_than_this_program_knows_waits_and_an_unknown_type_does_not():
    with pytest.raises(FutureVersion, match="update it, then replay"):
        read_event("doorstep.cases.case-held.v2", b"{}")
    with pytest.raises(Undecodable) as unknown:
        read_event("doorstep.cases.nobody-knows.v1", b"{}")
    assert not isinstance(unknown.value, FutureVersion)


def test_unknown_fields_are_passed_over():
    value = {"case_id": str(uuid4()), "hold_id": str(uuid4()), "reason": "X", "invented_later": 1}
    assert isinstance(read_event(CaseReleased.type, json.dumps(value).encode()), CaseReleased)


def test_the_documents_headers_are_those_that_are_sent():
    everything = Envelope(
        event_id=new_id(),
        source="/cases",
        type=HELD,
        occurred_at=datetime.fromisoformat("2026-03-02T10:00:00+08:00"),
        subject=new_id(),
        partition_key=new_id(),
        sequence=1,
        actor=ActorRef("supervisor", "x"),
        correlation_id="c",
        causation_id="c",
        lender_id="lender-1",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        retention="us-retain",
    )
    assert set(everything.headers()) == set(HEADERS)
    assert set(OPTIONAL_HEADERS) < set(HEADERS)
