"""Each list that a lender may read finds its rows by an index, on both databases: no table is read as a whole."""

from collections import defaultdict

import pytest

from services.cases.app import create_app
from shared.ids import new_id
from tests.one_service import LENDER
from tests.query_plans import routes_of_lenders, whole_tables

BY_CASE = ("/cases/v1/contact-attempts", "/cases/v1/complaints")


@pytest.mark.dialect
async def test_no_list_of_a_lender_reads_a_whole_table(system):
    [case, _] = await system.place("A-1", "A-2")
    [placement] = (await system.get("/placements"))["items"]
    ids = defaultdict(new_id, case_id=case, placement_id=placement["id"], lender_id=LENDER, version="1")
    paths = [*routes_of_lenders(create_app(system.runtime))]
    assert {"/cases/v1/cases/{case_id}", *BY_CASE} < set(paths)
    assert await whole_tables(system, [*paths, *(f"{path}?case_id={case}" for path in BY_CASE)], ids) == set()
