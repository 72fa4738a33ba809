"""Each list that a lender may read finds its rows by an index, on both databases: no table is read as a whole."""

from collections import defaultdict
from datetime import timedelta

import pytest

from services.followup.app import create_app
from shared.ids import new_id
from tests.followup.conftest import MONDAY, promised
from tests.one_service import LENDER
from tests.query_plans import routes_of_lenders, whole_tables


@pytest.mark.dialect
async def test_no_list_of_a_lender_reads_a_whole_table(system):
    case = new_id()
    await system.hear(promised(case, (MONDAY + timedelta(days=4), "3000")))
    [promise] = (await system.get("/promises"))["items"]
    ids = defaultdict(new_id, case_id=case, promise_id=promise["id"], lender_id=LENDER)
    paths = [*routes_of_lenders(create_app(system.runtime))]
    assert "/followup/v1/promises" in paths
    by_case = f"/followup/v1/promises?case_id={case}"
    assert await whole_tables(system, [*paths, by_case], ids) == set()
