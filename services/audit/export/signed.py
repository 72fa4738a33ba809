"""The checkpoints that exports stand on, with what others said of them. Its one rule: what an export once stood on is
kept, so that the same order gives the same bytes when the trail itself has let go of that checkpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import and_, select, true

from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.attestations.witness_policy import policy_of
from services.audit.export.tables import EXPORT_CHECKPOINT
from services.audit.settings import AuditSettings
from services.audit.tlog.note import Checkpoint
from shared.bulk import insert_into
from shared.database import Transaction
from shared.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Signed:
    """A log's checkpoint as a note; `witnesses` are the keys of those who cosigned it, `stamp` a time stamp (DER)."""

    log: str
    note: str
    made_at: str
    witnesses: tuple[str, ...]
    stamp: bytes | None

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.parse(self.note.rpartition("\n\n")[0] + "\n")


async def signed_at(tx: Transaction, log: str, size: int | None) -> Signed:
    """A log's checkpoint of a size, or its newest. Raises NotFound, or Invalid for a size that is not signed."""
    published = await _published(tx, log, size)
    if published is None and size is None:
        raise NotFound("log-not-found", f"There is no log {log} here, or nothing of it is signed yet.")
    found = await _kept(tx, log, published.checkpoint.size if published else size) or published
    if found is None:
        raise Invalid(
            "as-of",
            f"There is no signed checkpoint of {log} at {size} entries: take the sizes of an earlier export, or leave "
            "`as_of` out for the newest.",
        )
    return found


async def _kept(tx: Transaction, log: str, size: int | None) -> Signed | None:
    row = (
        await tx.session.execute(
            select(EXPORT_CHECKPOINT).where(EXPORT_CHECKPOINT.c.log_id == log, EXPORT_CHECKPOINT.c.size == size)
        )
    ).first()
    return None if row is None else Signed(log, row.note, row.made_at, tuple(row.witnesses), row.stamp)


async def _published(tx: Transaction, log: str, size: int | None) -> Signed | None:
    """In one statement, since the newest checkpoint of now may be gone in a moment."""
    stamped = and_(CHECKPOINT_STAMP.c.log_id == CHECKPOINT.c.log_id, CHECKPOINT_STAMP.c.size == CHECKPOINT.c.size)
    row = (
        await tx.session.execute(
            select(CHECKPOINT.c.note, CHECKPOINT.c.made_at, CHECKPOINT_STAMP.c.stamp)
            .outerjoin(CHECKPOINT_STAMP, stamped)
            .where(CHECKPOINT.c.log_id == log, true() if size is None else CHECKPOINT.c.size == size)
            .order_by(CHECKPOINT.c.size.desc())
            .limit(1)
        )
    ).first()
    if row is None:
        return None
    policy = policy_of(AuditSettings.of(tx.settings))
    cosigned = policy.cosigned_by(row.note) if policy else {}
    keys = {name: witness.verifier.vkey for name, witness in policy.witnesses.items()} if policy else {}
    return Signed(log, row.note, row.made_at, tuple(sorted(keys[name] for name in cosigned)), row.stamp)


async def keep(tx: Transaction, signed: Iterable[Signed]) -> None:
    """Keep what an export stands on; what was kept first stays."""
    rows: list[Mapping[str, object]] = [
        {
            "log_id": each.log,
            "size": each.checkpoint.size,
            "note": each.note,
            "made_at": each.made_at,
            "witnesses": list(each.witnesses),
            "stamp": each.stamp,
        }
        for each in signed
    ]
    await tx.session.execute(insert_into(tx, EXPORT_CHECKPOINT).on_conflict_do_nothing(), rows)
