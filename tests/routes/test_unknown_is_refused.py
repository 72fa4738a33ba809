"""Unknown means refused: a parameter or field that a route does not know is 422 and named, whatever the ids are."""

from typing import Any

import pytest

from shared.web.requests import DoorstepRoute
from tests.routes.every_route import Door, changed

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = "no_such_name"
PHONE = {
    "POST /visits/v1/visits/{visit_id}/check-in",
    "POST /visits/v1/visits/{visit_id}/complete",
    "POST /visits/v1/visits/{visit_id}/abort",
    "POST /visits/v1/visits/{visit_id}/supplements",
}


def named(problem: dict[str, Any]) -> set[str]:
    return {each["where"] for each in problem.get("errors", ())}


async def test_every_route_refuses_an_unknown_parameter(doors: list[Door]) -> None:
    wrong = []
    for door in doors:
        answer = await door.ask(query={**door.needed, UNKNOWN: "1"})
        if answer.status_code != 422 or f"query.{UNKNOWN}" not in named(answer.json()):
            wrong.append((door.name, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert len(doors) > 100
    assert {door.service for door in doors} == {"cases", "visits", "followup", "audit"}


async def test_every_route_is_of_the_class_that_checks(doors: list[Door]) -> None:
    assert [door.name for door in doors if not isinstance(door.route, DoorstepRoute)] == []


async def test_every_single_parameter_is_sent_once(doors: list[Door]) -> None:
    wrong = []
    for door in doors:
        for each in door.parameters:
            if each["in"] != "query" or door.resolved(each["schema"]).get("type") == "array":
                continue
            value = str(door.sample(each["schema"]))
            answer = await door.ask(query=[*door.needed.items(), (each["name"], value), (each["name"], value)])
            if answer.status_code != 422 or f"query.{each['name']}" not in named(answer.json()):
                wrong.append((door.name, each["name"], answer.status_code))
    assert wrong == []


async def test_every_body_refuses_an_unknown_field_at_any_depth(doors: list[Door]) -> None:
    wrong, tolerant, asked = [], set(), 0
    for door in doors:
        if door.body_schema is None:
            continue
        sample = door.sample(door.body_schema)
        for place in door.fields(door.body_schema):
            if "properties" not in place.schema:
                continue
            if door.name in PHONE:
                tolerant.add((door.name, place.schema.get("additionalProperties")))
                continue
            asked += 1
            answer = await door.ask(body=changed(sample, (*place.path, UNKNOWN), "1"))
            where = ".".join(["body", *map(str, place.path), UNKNOWN]).removeprefix("body.")
            if answer.status_code != 422 or not any(each.endswith(where) for each in named(answer.json())):
                wrong.append((door.name, place.path, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert asked > 40
    assert tolerant == {(name, True) for name in PHONE}


async def test_an_odd_name_is_not_repeated(doors: list[Door]) -> None:
    [door] = [each for each in doors if each.name == "POST /cases/v1/lenders"]
    for name in ("王小明", "Mr Wang +886912345678", "a" * 41, "", "\0"):
        by_query = await door.ask(query={name: "1"}, body={"id": "south", "name": "South"})
        by_body = await door.ask(body={"id": "south", "name": "South", name: "1"})
        for answer in (by_query, by_body):
            assert answer.status_code in (400, 422), answer.text
            assert not name or name not in answer.text
