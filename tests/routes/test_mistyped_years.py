"""A year before 2000 is mistyped, and each door refuses it, field by field. The clock of a phone is no statement: what
a phone in 1999 reports is taken."""

import pytest

from tests.routes.every_route import Door, changed

pytestmark = pytest.mark.asyncio(loop_scope="session")

MISTYPED = {"date": "1999-12-31", "date-time": "1999-12-31T12:00:00+08:00"}
SOUND = {"date": "2000-01-02", "date-time": "2000-01-02T12:00:00+08:00"}
# Fields of phones: their clocks, and the day of an instalment, which is judged by the day of the visit.
OF_PHONES = {"device_time", "device_now", "ended_at", "asked_to_leave_at", "left_at"}
AT_ONE_DOOR = {
    ("POST /visits/v1/visits/{visit_id}/abort", "at"),
    ("POST /visits/v1/visits/{visit_id}/complete", "due_on"),
}


def is_of_a_phone(door: Door, name: str) -> bool:
    return name in OF_PHONES or (door.name, name) in AT_ONE_DOOR


async def refused_at(door: Door, name: str, **request) -> bool:
    """Whether the door refuses this field or parameter itself."""
    answer = await door.ask(**request)
    if answer.status_code != 422:
        return False
    problem = answer.json()
    named = [str(each.get("where")).rpartition(".")[2] for each in problem.get("errors", ())]
    return name in named or problem["type"].endswith("time-out-of-range")


async def test_every_parameter_refuses_a_mistyped_year(doors: list[Door]) -> None:
    taken, asked = [], 0
    for door in doors:
        for each in door.parameters:
            form, name = door.resolved(each["schema"]).get("format"), each["name"]
            if each["in"] == "query" and form in MISTYPED:
                asked += 1
                if not await refused_at(door, name, query={**door.needed, name: MISTYPED[form]}):
                    taken.append((door.name, name))
    assert taken == []
    assert asked >= 8


async def test_every_field_refuses_a_mistyped_year_and_those_of_phones_do_not(doors: list[Door]) -> None:
    wrong, asked = [], 0
    for door in doors:
        if door.body_schema is None:
            continue
        sample = door.sample(door.body_schema)
        for place in door.fields(door.body_schema):
            form = place.schema.get("format")
            if form not in MISTYPED:
                continue
            name = str(place.path[-1])
            for value in (MISTYPED[form], SOUND[form]):
                asked += 1
                refused = await refused_at(door, name, body=changed(sample, place.path, value))
                if refused is (value == SOUND[form] or is_of_a_phone(door, name)):
                    wrong.append((door.name, place.path, value))
    assert wrong == []
    assert asked >= 30
