"""The timer of ageing: when a lender's day begins, its cases get a day older."""

from services.cases.ageing import usecases
from shared.database import Context
from shared.runtime import Runtime


async def age_cases(runtime: Runtime) -> int:
    """Age one page of one lender's cases, in its name. Returns 1, or 0 where all are aged."""
    async with runtime.database.reading() as tx:  # all lenders: it looks for the next one
        tx.now = now = await runtime.clock.now(tx)
        lender_id = await usecases.due_lender(tx)
    if lender_id is None:
        return 0
    async with runtime.database.transaction(Context(lender_id=lender_id), now) as tx:
        await usecases.age_page(tx, lender_id)
    return 1
