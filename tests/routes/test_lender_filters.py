"""Each list with a filter `lender_id` is one of those that are tried in tests/cases/test_lists.py."""

import pytest

from tests.cases.test_lists import BY_LENDER
from tests.routes.every_route import Door

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_every_list_with_a_filter_by_lender_is_tried(doors: list[Door]) -> None:
    found = {
        door.path
        for door in doors
        if any((each["in"], each["name"]) == ("query", "lender_id") for each in door.parameters)
    }
    assert found == {f"/cases/v1{path}" for path in BY_LENDER}
