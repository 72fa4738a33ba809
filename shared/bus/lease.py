"""A lease with a fencing epoch: of several processes that could do a thing, one does it.

Who lost the lease may believe for a while that it holds it; so every write under it is fenced by `still_mine`.
"""

import os
import socket

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Table,
    bindparam,
    case,
    cast,
    extract,
    func,
    or_,
    select,
    update,
)

from shared.bulk import insert_into
from shared.clock import monotonic_seconds
from shared.database import Database, Transaction
from shared.ids import new_id

LEASE_SECONDS = 10.0


class LeaseLost(Exception):
    """Another process took over; what this one still wanted to write is the other's now."""


class Lease:
    """One name in a service's table of leases."""

    def __init__(self, database: Database, table: Table, name: str) -> None:
        self.epoch = 0
        self._database = database
        self._table = table
        self._name = name
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{new_id().hex[-8:]}"
        self._taken_at = 0.0
        epoch = bindparam("lease_epoch", callable_=lambda: self.epoch, type_=BigInteger)
        mine = (table.c.name == name, table.c.holder == self._holder, table.c.epoch == epoch)
        self.still_mine = select(table.c.name).where(*mine).exists()
        """True, inside a statement, while this process holds the lease at its epoch."""

    async def holds(self) -> bool:
        """Whether this process may go on; renews the lease well before it ends. A wrong yes is caught by the fence."""
        if self.epoch and monotonic_seconds() - self._taken_at < LEASE_SECONDS / 3:
            return True
        return await self.take()

    async def take(self) -> bool:
        """Take, or keep, the lease. A new holder gets a higher epoch. False while another process holds it."""
        lease = self._table
        async with self._database.transaction() as tx:
            now = database_seconds(tx)
            kept = await tx.session.execute(
                update(lease)
                .where(
                    lease.c.name == self._name, or_(lease.c.holder == self._holder, lease.c.expires_at_seconds < now)
                )
                .values(
                    epoch=lease.c.epoch + case((lease.c.holder != self._holder, 1), else_=0),
                    holder=self._holder,
                    expires_at_seconds=now + LEASE_SECONDS,
                )
                .returning(lease.c.epoch)
            )
            epoch = kept.scalar_one_or_none()
            if epoch is None:  # another's, or nobody's yet: of several that start at once, one is first
                first = insert_into(tx, lease).values(
                    name=self._name, holder=self._holder, epoch=1, expires_at_seconds=now + LEASE_SECONDS
                )
                made = await tx.session.execute(first.on_conflict_do_nothing().returning(lease.c.epoch))
                epoch = made.scalar_one_or_none()
        self.epoch = epoch or 0
        self._taken_at = monotonic_seconds() if epoch else 0.0
        return bool(epoch)

    async def release(self) -> None:
        """Give the lease up at once, if it is still ours: the next process need not wait until it ends."""
        lease = self._table
        mine = lease.c.name == self._name, lease.c.holder == self._holder
        async with self._database.transaction() as tx:
            await tx.session.execute(update(lease).where(*mine).values(expires_at_seconds=0))
        self.lose()

    def lose(self) -> None:
        """Take it anew before anything else is done."""
        self.epoch = 0


def database_seconds(tx: Transaction) -> ColumnElement[float]:
    """The database's own clock, so that processes on several hosts agree on when a lease ends."""
    if tx.session.get_bind().dialect.name == "sqlite":
        return (func.julianday("now", type_=Float) - 2440587.5) * 86400.0
    return cast(extract("epoch", func.clock_timestamp()), Float(53))
