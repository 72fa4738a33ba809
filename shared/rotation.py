"""Rotation of the master key: the keys of subjects are wrapped again, page by page, while the service runs. What is
sealed is not touched. It can be broken off at any time and begun again.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, tuple_, update

from shared.clock import monotonic_seconds
from shared.database import Database
from shared.vault import Owner, Vault

PAGE_ROWS = 500
PAUSE_SECONDS = 0.01
"""Between two pages, so that the writers of a running service find their turn."""
SETTLE_SECONDS = 1.0
"""A transaction that was under way when the key was added may still wrap by the one before it."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """How many keys of a class a master key wraps in a service."""

    key: str
    of_class: str
    count: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Which master keys a service needs, and how many of its keys were destroyed."""

    service: str
    wrapped: tuple[Wrapped, ...]
    destroyed: int

    def count_of(self, key: str) -> int:
        return sum(each.count for each in self.wrapped if each.key == key)


async def usage(database: Database, vault: Vault) -> Usage:
    t = vault.table.c
    counts = select(t.kek_id, t["class"], func.count()).group_by(t.kek_id, t["class"]).order_by(t.kek_id, t["class"])
    async with database.reading() as tx:
        rows = [tuple(row) for row in await tx.session.execute(counts)]
    wrapped = tuple(Wrapped(key, of_class, count) for key, of_class, count in rows if key is not None)
    return Usage(database.source, wrapped, sum(count for key, _, count in rows if key is None))


async def rewrap_all(database: Database, vault: Vault, *, since: float) -> int:
    """Wrap all keys of a service by the newest master key, which was added at `since` (monotonic seconds). Returns how
    many another had wrapped. Raises Unavailable where a master key is missing."""
    done = 0
    while True:
        count = await _pass(database, vault)
        done += count
        if count == 0 and monotonic_seconds() - since >= SETTLE_SECONDS:
            return done
        if count == 0:
            await asyncio.sleep(SETTLE_SECONDS / 10)


async def _pass(database: Database, vault: Vault) -> int:
    """Once through the table, in the order of its primary key."""
    t, done = vault.table.c, 0
    after: Owner = ("", "")
    while True:
        page = (
            select(t.subject, t["class"])
            .where(t.kek_id != vault.keyring.newest.id, tuple_(t.subject, t["class"]) > after)
            .order_by(t.subject, t["class"])
            .limit(PAGE_ROWS)
        )
        async with database.reading() as tx:
            owners = [(row[0], row[1]) for row in await tx.session.execute(page)]
        if not owners:
            return done
        done += await _rewrap(database, vault, owners)
        after = owners[-1]
        await asyncio.sleep(PAUSE_SECONDS)


async def _rewrap(database: Database, vault: Vault, owners: list[Owner]) -> int:
    t, kek = vault.table.c, vault.keyring.newest
    rows = select(t.subject, t["class"], t.wrapped, t.kek_id).where(
        tuple_(t.subject, t["class"]).in_(owners), t.kek_id != kek.id
    )
    change = update(vault.table).where(t.subject == bindparam("of"), t["class"] == bindparam("of_class"))
    async with database.transaction() as tx:
        found = (await tx.session.execute(rows.with_for_update())).all()
        wrapped = [
            {"of": row[0], "of_class": row[1], "wrapped": kek.wrap(vault.unwrapped(row), row[0], row[1])}
            for row in found
        ]
        if wrapped:
            connection = await tx.session.connection()
            await connection.execute(change.values(wrapped=bindparam("wrapped"), kek_id=kek.id), wrapped)
    return len(found)
