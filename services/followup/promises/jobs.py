"""The timer of followup: when grace has passed, a promise is judged, wherever the debtor's midnight is."""

from services.followup.promises import usecases
from shared.runtime import Runtime


async def judge_due_promises(runtime: Runtime) -> int:
    """Judge a bounded number of promises that are due. Returns how many; 0 when none is."""
    async with runtime.database.transaction() as tx:
        tx.now = await runtime.clock.now(tx)
        return await usecases.judge_due(tx)
