"""The law that a service knows: the packs that ship with it, and every version that was activated since.

Each service that judges keeps its own copy, by RulePackActivated and RulePackWithdrawn. Which version applies follows
from the business day alone, and a version is activated before its first day: so all services judge by the same law at
the same time.
"""

from uuid import UUID

from sqlalchemy import Column as C
from sqlalchemy import Date, MetaData, Table, Text, Uuid, delete, insert, select

from shared.database import Transaction
from shared.events.envelope import Envelope
from shared.events.visits import RulePackActivated, RulePackWithdrawn
from shared.law import Law, read_pack, shipped
from shared.tenants import owned

_SEEN = "law"


class Lawbook:
    """The table `law_version` of one service, and the law that stands in it."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "law_version",
            metadata,
            C("id", Uuid, primary_key=True),
            C("pack", Text, nullable=False),
            C("pack_version", Text, nullable=False),
            C("digest", Text, nullable=False),
            C("effective_from", Date, nullable=False),
            C("yaml", Text, nullable=False),
            **owned(tenant=None, because="The law is the same for all."),
        )
        self._read: tuple[tuple[UUID, ...], Law] = ((), shipped())

    async def law(self, tx: Transaction) -> Law:
        """All versions of all packs. Texts are read again only where a version has been added. A transaction looks
        once."""
        seen: Law | None = tx.session.info.get(_SEEN)
        if seen is None:
            seen = tx.session.info[_SEEN] = await self._newest(tx)
        return seen

    async def _newest(self, tx: Transaction) -> Law:
        table = self.table
        order = (table.c.effective_from, table.c.id)
        known, law = self._read
        ids = tuple(await tx.session.scalars(select(table.c.id).order_by(*order)))
        if ids != known:
            law = shipped()
            for row in await tx.session.execute(select(table).order_by(*order)):
                law = law.with_version(read_pack(f"{row.pack}.yaml", row.yaml.encode()), row.effective_from)
            self._read = (ids, law)
        return law

    async def learn(self, tx: Transaction, event: RulePackActivated) -> None:
        """Keep a version. Raises PackInvalid for one that this program is too old to read."""
        read_pack(f"{event.pack}.yaml", event.yaml.encode())
        row = {
            "id": event.pack_version_id,
            "pack": event.pack,
            "pack_version": event.pack_version,
            "digest": event.pack_digest,
            "effective_from": event.effective_from,
            "yaml": event.yaml,
        }
        await tx.session.execute(insert(self.table).values(row))
        tx.session.info.pop(_SEEN, None)

    async def on_rule_pack_activated(self, tx: Transaction, event: RulePackActivated, _envelope: Envelope) -> None:
        await self.learn(tx, event)

    async def forget(self, tx: Transaction, event: RulePackWithdrawn) -> None:
        """Drop a version that was withdrawn before its first day."""
        await tx.session.execute(delete(self.table).where(self.table.c.id == event.pack_version_id))
        tx.session.info.pop(_SEEN, None)

    async def on_rule_pack_withdrawn(self, tx: Transaction, event: RulePackWithdrawn, _envelope: Envelope) -> None:
        await self.forget(tx, event)
