"""One person at several lenders is known again, and no lender learns of it."""

import json

from sqlalchemy import select

from services.cases.worker import SERVICE
from tests.actors.samples import PROFILE

COLUMNS = {name: column for name, column in PROFILE["columns"].items() if name != "name"} | {"national_id": "name"}


async def test_the_same_person_has_one_reference_and_it_is_in_no_lenders_log(system):
    """Both rows of the file bear the same national id."""
    one, two = await system.place("A-1", "A-2", columns=COLUMNS)
    outbox = SERVICE.tables.bus.outbox
    async with system.runtime.database.reading() as tx:
        rows = (await tx.session.execute(select(outbox.c.headers, outbox.c.payload).order_by(outbox.c.seq))).all()
    told = [(json.loads(row.headers), json.loads(row.payload)) for row in rows]
    recognised = [(headers, data) for headers, data in told if "debtor-recognised" in headers["ce_type"]]
    assert {data["case_id"] for _, data in recognised} == {one, two}
    assert len({data["person_ref"] for _, data in recognised}) == 1
    assert all("ce_lenderid" not in headers for headers, _ in recognised)
    assert "王小明" not in "".join(row.payload.decode() for row in rows)


async def test_who_has_no_national_id_is_nobody_known(system):
    await system.place("A-1")
    assert "debtor-recognised" not in await system.types()
