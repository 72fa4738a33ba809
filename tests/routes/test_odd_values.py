"""No value of a caller is our fault: whatever stands in a parameter, a field or a header, the answer is no 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.routes.every_route import Door, changed

pytestmark = pytest.mark.asyncio(loop_scope="session")

BITS_MAX = 2**63 - 1
ODD = (str(2**80), str(-(2**63) - 1), "NaN", "1e1000000", "", "'\"%_\\")
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e1000000", "-1e1000000", "1e400", "1e-1000000", "9" * 400)
UNSTORABLE = ("\0", "a\0b", "\ud800", "\udfff\ud800")
TEXTS = (*UNSTORABLE, "a" * 100_000, "")
BAD_TEXTS = ("a%00b", "%ED%A0%80", "%FF", "a" * 30_000)
TIMES = {
    "date": ("0001-01-01", "9999-12-31", "-1", "0000-00-00"),
    "date-time": ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e300", "0001-01-01T00:00:00+23:59"),
    "time": ("24:00:01", "09:00:00+23:59"),
    "uuid": ("0" * 32, "g" * 36, "urn:uuid:" + "f" * 32),
}


def odd_values(schema: dict[str, Any]) -> Iterator[Any]:
    match schema.get("type"):
        case "integer":
            yield from (2**80, -(2**80), 1e300, "1" * 5_000)
        case "number":
            yield from (2**80, 1e308, *NUMBERS)
        case "string":
            yield from (*TEXTS, *TIMES.get(schema.get("format", ""), ()))
        case "array":
            yield from ([], ["\0"], [2**80])
    yield from (None, {"a": {"b": [2**80]}})


async def test_every_integer_has_its_bounds(doors: list[Door]) -> None:
    unbounded, found = [], 0
    for door in doors:
        forms = [(each["name"], door.resolved(each["schema"])) for each in door.parameters]
        if door.body_schema is not None:
            forms += [(str(place.path), place.schema) for place in door.fields(door.body_schema)]
        for name, schema in forms:
            if schema.get("type") == "integer" and "enum" not in schema and "const" not in schema:
                found += 1
                if schema.get("minimum", -(2**99)) < -BITS_MAX or schema.get("maximum", 2**99) > BITS_MAX:
                    unbounded.append((door.name, name))
    assert unbounded == []
    assert found > 40


async def test_no_parameter_ends_in_a_500(doors: list[Door]) -> None:
    wrong, asked, seen = [], 0, set()
    for door in doors:
        for each in door.parameters:
            schema = door.resolved(each["schema"])
            if each["in"] != "query" or (door.service, each["name"]) in seen:
                continue
            seen |= {(door.service, each["name"])} if each["name"] in ("limit", "cursor") else set()
            for value in (*ODD, *TIMES.get(schema.get("format", ""), ())):
                answer = await door.ask(query={**door.needed, each["name"]: value})
                asked += 1
                if answer.status_code >= 500 or (schema.get("type") == "integer" and answer.status_code < 400):
                    wrong.append((door.name, each["name"], str(value)[:30], answer.status_code))
            for value in BAD_TEXTS:
                needed = "".join(f"&{name}={value}" for name, value in door.needed.items() if name != each["name"])
                answer = await door.ask(url=f"{door.url()}?{each['name']}={value}{needed}")
                if answer.status_code not in (414, 422):
                    wrong.append((door.name, each["name"], value[:30], answer.status_code))
    assert wrong == []
    assert asked > 300


async def test_no_path_ends_in_a_500(doors: list[Door]) -> None:
    wrong = []
    for door in doors:
        for each in door.parameters:
            if each["in"] != "path":
                continue
            for value in (*BAD_TEXTS, *ODD[:4], "王", "%2F", "..%2f..", "'"):
                answer = await door.ask(url=door.url(**{each["name"]: value}))
                if answer.status_code >= 500 or (value in BAD_TEXTS and answer.status_code < 400):
                    wrong.append((door.name, each["name"], value[:30], answer.status_code))
    assert wrong == []


@pytest.mark.slow
async def test_no_field_ends_in_a_500(doors: list[Door]) -> None:
    wrong, asked = [], 0
    for door in doors:
        if door.body_schema is None:
            continue
        sample = door.sample(door.body_schema)
        for place in door.fields(door.body_schema):
            for value in odd_values(place.schema):
                answer = await door.ask(body=changed(sample, place.path, value))
                asked += 1
                beyond = place.schema.get("type") == "integer" and type(value) is int
                if answer.status_code >= 500 or (beyond and answer.status_code < 400):
                    wrong.append((door.name, place.path, str(value)[:30].encode(), answer.status_code))
    assert wrong == []
    assert asked > 1_000


async def test_no_header_ends_in_a_500(doors: list[Door]) -> None:
    wrong, asked = [], 0
    for door in doors:
        body = None if door.body_schema is None else door.sample(door.body_schema)
        read = [each["name"] for each in door.parameters if each["in"] == "header"]
        read += ["Idempotency-Key"] if door.method == "POST" else []
        for name in read:
            for value in (b"\xff\xfe", b"\xed\xa0\x80", b'"', b"a" * 9_000, b"9" * 30, b"-1", b""):
                answer = await _with(door, name, value, body)
                asked += 1
                if answer.status_code >= 500:
                    wrong.append((door.name, name, value[:20], answer.status_code))
    assert wrong == []
    assert asked > 100


async def _with(door: Door, name: str, value: bytes, body: Any) -> Any:
    headers = [*((key.encode(), text.encode()) for key, text in door.headers.items()), (name.encode(), value)]
    content = None if body is None else json.dumps(body).encode()
    if content is not None:
        headers.append((b"content-type", b"application/json"))
    return await door.client.request(door.method, door.url(), params=door.needed, content=content, headers=headers)
