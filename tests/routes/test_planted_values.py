"""A marker in each field of each body, in each parameter and in each part of an address, of every route: none comes
back in a problem, and none reaches an event, the log, the metrics or a stored error. Accepted acts: tests/planted."""

import re
from typing import Any

import pytest

from tests.planted.markers import Markers
from tests.planted.watch import log_lines, published, stored_errors
from tests.routes.every_route import Door, changed

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What a caller writes by a form of a code, and what goes into events on purpose.
TRAVELS = {
    "POST /visits/v1/collectors certificates.0.code": "the code of a certificate, such as FIELD-COLLECTION",
}
# A text of a law is written by officers and published with its version; what is wrong in it is quoted to them.
LAW = ("yaml",)


def fitting(schema: dict[str, Any], word: str, sample: Any) -> Any:
    """The marker in the form that the field takes; the sample where a marker cannot have it."""
    pattern = schema.get("pattern", "")
    for text in (f"{word} 王小明", word, word.upper(), f"{word}-1", f"application/{word}"):
        if re.search(pattern, text) and len(text) <= schema.get("maxLength", 10_000):
            return text
    return sample


async def test_no_value_of_a_body_comes_out(doors: list[Door]) -> None:
    markers, problems, asked = Markers(), {}, 0
    with log_lines() as log:
        for door in doors:
            if door.body_schema is None:
                continue
            refused = accepted = door.sample(door.body_schema)
            for place in door.fields(door.body_schema):
                name = ".".join(map(str, place.path))
                if place.schema.get("type") in ("object", "array") or place.path[-1:] == LAW:
                    continue
                where = f"{door.name} {name}"
                refused = changed(refused, place.path, markers.text(where))
                if place.schema.get("type") == "string" and not place.schema.keys() & {"format", "enum", "const"}:
                    old = door.sample(place.schema)
                    accepted = changed(accepted, place.path, fitting(place.schema, markers.word(where), old))
            for body in (refused, accepted):
                answer = await door.ask(body=body)
                asked += 1
                if answer.status_code >= 400:
                    problems[door.name] = problems.get(door.name, "") + str(answer.headers) + answer.text
    assert asked > 80
    assert markers.places, "nothing was planted"
    assert markers.found_in(*problems.values()) == set()
    await nothing_in(doors, markers, log.getvalue())


async def test_no_value_of_an_address_comes_out(doors: list[Door]) -> None:
    markers, problems, asked = Markers(), [], 0
    with log_lines() as log:
        for door in doors:
            if door.path.endswith(("/progress", "/watch", "/docs", "/openapi.json")) or not door.operation:
                continue
            names = {each["name"] for each in door.parameters if each["in"] == "path"}
            parts = {name: markers.word(f"{door.name} {{{name}}}") for name in sorted(names)}
            for each in door.parameters:
                if each["in"] != "query":
                    continue
                word = markers.text(f"{door.name} ?{each['name']}")
                answer = await door.ask(url=door.url(), query={**door.needed, each["name"]: word})
                asked += 1
                if answer.status_code >= 400:
                    problems.append(answer.text)
            if parts:
                answer = await door.ask(url=door.url(**parts))
                asked += 1
                problems.append(answer.text if answer.status_code >= 400 else "")
    assert asked > 100
    assert markers.found_in(*problems) == set()
    await nothing_in(doors, markers, log.getvalue())


async def nothing_in(doors: list[Door], markers: Markers, log: str) -> None:
    """Nothing planted stands in what the services published, logged, counted and stored of errors."""
    events, errors = [], []
    for runtime in {id(door.runtime): door.runtime for door in doors}.values():
        for record in await published(runtime):
            events += [record.value, str(record.headers)]
        errors += stored_errors(runtime.settings.data_dir / f"{runtime.service.name}.sqlite3")
    metrics = (await doors[0].client.get("/metrics")).text
    assert "doorstep_request_seconds" in metrics
    assert markers.found_in(*events) - TRAVELS.keys() == set()
    assert markers.found_in(log, metrics, *errors) == set()
