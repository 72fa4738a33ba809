"""Daily work: rows that name the time from which something is due. A timer looks each second and drains them in pages,
the oldest first. Nothing runs "every 24 hours": what became due while no worker ran is done when one runs again, and a
clock that jumps thirty days comes to the same end as one that steps thirty times. So a page judges each row by its
own time, never by the time at which the timer looks.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from shared.database import Transaction

if TYPE_CHECKING:
    from shared.runtime import Runtime

DrainPage = Callable[["Runtime"], Awaitable[int]]


def in_pages(
    is_due: Callable[[Transaction], Awaitable[bool]], do_page: Callable[[Transaction], Awaitable[int]]
) -> DrainPage:
    """What a `Timer` runs: one page in one transaction at the present business time. Returns how many rows; 0 when none
    is due. `is_due` looks first without writing, since most looks find nothing."""

    async def drain_page(runtime: "Runtime") -> int:
        async with runtime.database.reading() as tx:
            tx.now = await runtime.clock.now(tx)
            if not await is_due(tx):
                return 0
        async with runtime.database.transaction() as tx:
            tx.now = await runtime.clock.now(tx)
            return await do_page(tx)

    return drain_page
