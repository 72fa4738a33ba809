"""Keeps the texts of the packs that stored decisions name, so that a decision can be run again when the program has
moved on and ships others."""

from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, select
from sqlmodel import col

from services.visits.base import LAWBOOK
from services.visits.gate.tables import KeptPackRow
from shared.bulk import insert_into
from shared.database import Transaction
from shared.law import Law, RulePack, Version, read_pack

# What each database is known to hold, so that most decisions ask nothing.
_KNOWN: WeakKeyDictionary[Engine | Connection, set[str]] = WeakKeyDictionary()


async def keep(tx: Transaction, packs: Iterable[RulePack]) -> None:
    """Keep the texts that are not kept yet. Two at the same moment keep one."""
    bind = tx.session.get_bind()
    known = _KNOWN.setdefault(bind, set())
    new = {pack.digest: pack for pack in packs if pack.digest not in known}
    if not new:
        return
    found = await tx.session.scalars(select(col(KeptPackRow.digest)).where(col(KeptPackRow.digest).in_(new)))
    known.update(found)
    rows = [
        {"digest": digest, "pack": pack.id, "yaml": pack.text, "first_used_at": tx.now}
        for digest, pack in new.items()
        if digest not in known
    ]
    if rows:
        await tx.session.execute(insert_into(tx, KeptPackRow).values(rows).on_conflict_do_nothing())


async def packs_named(tx: Transaction, named: Sequence[Mapping[str, str]]) -> tuple[RulePack, ...]:
    """The very versions that a stored decision names. Raises UnknownVersion."""
    law = await LAWBOOK.law(tx)
    digests = [each["digest"] for each in named]
    rows = await tx.session.scalars(select(KeptPackRow).where(col(KeptPackRow.digest).in_(digests)))
    kept = tuple(Version(read_pack(f"{row.pack}.yaml", row.yaml.encode())) for row in rows)
    return Law((*law.versions, *kept)).exactly(named)
