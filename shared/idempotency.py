"""Idempotency-Key: a POST that is sent again is not done again; the first reply is replayed for at least 24 hours.

The claim, the effect and the stored reply are one transaction, so two at the same moment run once. Replies are
sealed, since they may hold personal data; a 5xx is never stored.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Column as C
from sqlalchemy import Integer, LargeBinary, MetaData, Select, Table, Text, delete, select, tuple_, update

from shared.bulk import insert_into
from shared.clock import system_now
from shared.database import Transaction, UtcTime
from shared.due import DrainPage, in_pages
from shared.errors import Invalid
from shared.sealing import Place
from shared.tenants import owned

REPLY = "reply"
KEPT_HOURS = 24
REPLIES_AT_ONCE = 1_000
KEY_CHARACTERS_MAX = 200


def idempotency_table(metadata: MetaData) -> Table:
    return Table(
        "idempotency",
        metadata,
        C("caller", Text, primary_key=True),
        C("route", Text, primary_key=True),
        C("key", Text, primary_key=True),
        C("body_digest", LargeBinary, nullable=False),
        C("status", Integer),
        C("reply", LargeBinary),
        C("claimed_at", UtcTime, nullable=False, index=True),
        **owned(tenant=None, because="A caller's name has its lender in it, and callers find their own claims only."),
    )


@dataclass(frozen=True, slots=True)
class StoredReply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Claim:
    """A request under way. Its reply is stored before the commit."""

    tx: Transaction
    table: Table
    where: tuple[str, str, str]

    async def store(self, reply: StoredReply) -> None:
        caller, route, key = self.where
        packed = json.dumps([reply.headers, reply.body.decode()]).encode()
        sealed = await self.tx.vault.seal(_subject(self.tx, caller), REPLY, _place(caller, route, key), packed)
        await self.tx.session.execute(
            update(self.table)
            .where(self.table.c.caller == caller, self.table.c.route == route, self.table.c.key == key)
            .values(status=reply.status, reply=sealed)
        )


def _subject(tx: Transaction, caller: str) -> str:
    """A caller may be named by an address of e-mail: the name itself is not stored with the key."""
    return tx.vault.subject_of("caller", caller)


def _place(caller: str, route: str, key: str) -> Place:
    return Place("idempotency", "reply", (caller, route, key), before=f"reply/{caller}/{route}/{key}", by_master=True)


async def claim(
    tx: Transaction, table: Table, *, caller: str, route: str, key: str, body: bytes
) -> Claim | StoredReply:
    """Claim a key for this request, or return the reply of the one before it. A second claim at the same moment
    waits for the first. Raises Invalid where the key was used for another body, or is too long or not plain."""
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise Invalid("idempotency-key-length", f"Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} characters.")
    if not (key.isascii() and key.isprintable()):
        raise Invalid("idempotency-key-characters", "Idempotency-Key must have printable ASCII characters only.")
    now = system_now()
    digest = hashlib.sha256(body).digest()
    row = {"caller": caller, "route": route, "key": key, "body_digest": digest, "claimed_at": now}
    claimed = await tx.session.execute(
        insert_into(tx, table).values(row).on_conflict_do_nothing().returning(table.c.key)
    )
    if claimed.first() is not None:
        return Claim(tx, table, (caller, route, key))
    found = await tx.session.execute(
        select(table).where(table.c.caller == caller, table.c.route == route, table.c.key == key)
    )
    earlier = found.one()
    if earlier.body_digest != digest:
        raise Invalid(
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request. Use a new key for a new request.",
        )
    opened = await tx.vault.open(_subject(tx, caller), REPLY, _place(caller, route, key), earlier.reply)
    headers, text = json.loads(opened)
    return StoredReply(earlier.status, headers, text.encode())


def drop_old_replies(table: Table) -> DrainPage:
    """A timer: it forgets what was claimed more than KEPT_HOURS ago, by the system's time."""
    keys = table.primary_key.columns

    def old() -> Select[Any]:
        too_old = table.c.claimed_at < system_now() - timedelta(hours=KEPT_HOURS)
        return select(*keys).where(too_old).order_by(table.c.claimed_at)

    async def is_any_old(tx: Transaction) -> bool:
        return (await tx.session.execute(old().limit(1))).first() is not None

    async def drop_page(tx: Transaction) -> int:
        page = old().limit(REPLIES_AT_ONCE).subquery()
        gone = await tx.session.execute(delete(table).where(tuple_(*keys).in_(select(page))).returning(keys[0]))
        return len(gone.all())

    return in_pages(is_any_old, drop_page)
