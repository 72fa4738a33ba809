"""Upload a version, and decide upon it. What is activated is told to every service that judges; the version that was in
force stays so until the new one's first day."""

import json
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from services.visits.base import LAWBOOK
from services.visits.rulepacks import domain
from services.visits.rulepacks.domain import PackStatus
from services.visits.rulepacks.tables import PackVersionRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound, TooLarge
from shared.events.envelope import ActorRef
from shared.events.visits import RulePackActivated
from shared.ids import new_id
from shared.law import Change, OutOfPlace, PackInvalid, RulePack, difference, read_pack

YAML_BYTES_MAX = 48 * 1024


def read_version(pack_id: str, yaml: str) -> RulePack:
    """The pack that a text describes. Raises TooLarge, or Invalid with a sentence for each thing to mend."""
    # As it travels: an event, escapes included, must fit a leaf of the trail.
    if len(json.dumps(yaml, ensure_ascii=False).encode()) > YAML_BYTES_MAX:
        raise TooLarge("too-large", f"A rule pack has at most {YAML_BYTES_MAX:,} bytes.")
    try:
        pack = read_pack(f"{pack_id}.yaml", yaml.encode())
    except PackInvalid as error:
        sentences = str(error).splitlines()
        raise Invalid(
            "pack-invalid",
            "The pack cannot be used; the version in force stays. Mend what `errors` names, and upload again.",
            errors=[{"what": sentence} for sentence in sentences],
        ) from None
    if pack.id != pack_id:
        raise Invalid("pack-id", f"The text is of the pack {pack.id!r}, the address of {pack_id!r}. One is wrong.")
    return pack


async def upload(tx: Transaction, pack: RulePack, yaml: str, effective_from: date, *, actor: Actor) -> PackVersionRow:
    """Propose a version; somebody else decides upon it. Raises Conflict where its name or day is taken."""
    domain.check_first_day(effective_from, tx.now)
    law = await LAWBOOK.law(tx)
    shipped = any(v.pack.id == pack.id and v.pack.version == pack.version for v in law.versions)
    if shipped or await find(tx, pack.id, pack.version) is not None:
        raise _exists(pack)
    try:
        law.with_version(pack, effective_from)
    except OutOfPlace as wrong:
        raise Invalid("pack-out-of-place", f"{wrong}. Mend the field `within`.") from None
    row = PackVersionRow(
        id=new_id(),
        pack=pack.id,
        pack_version=pack.version,
        digest=pack.digest,
        yaml=yaml,
        effective_from=effective_from,
        status=PackStatus.PROPOSED,
        differences=_in_words(difference(law.in_force(pack.id, effective_from), pack)),
        uploaded_by=str(actor.ref),
        uploaded_at=tx.now,
        version=0,
    )
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError:  # somebody else uploaded it at the same moment
        raise _exists(pack) from None
    return row


def _exists(pack: RulePack) -> Conflict:
    return Conflict("pack-version-exists", f"There is a version {pack.version!r} of this pack. Give it a new name.")


def _in_words(changes: Sequence[Change]) -> dict[str, list[str]]:
    return {"en": [change.en for change in changes], "zh": [change.zh for change in changes]}


async def find(tx: Transaction, pack_id: str, pack_version: str) -> PackVersionRow | None:
    """An uploaded version. All versions of the pack are locked: what is decided upon one concerns the others."""
    rows = await tx.session.scalars(
        select(PackVersionRow)
        .where(col(PackVersionRow.pack) == pack_id)
        .order_by(col(PackVersionRow.id))
        .with_for_update()
    )
    return next((row for row in rows.all() if row.pack_version == pack_version), None)


async def lock(tx: Transaction, pack_id: str, pack_version: str) -> PackVersionRow:
    """Raises NotFound, for a version that ships with the program as well: nobody decides upon that."""
    row = await find(tx, pack_id, pack_version)
    if row is None:
        raise NotFound("pack-version-not-found", "No such version of this pack was uploaded.")
    return row


async def approve(tx: Transaction, row: PackVersionRow, *, actor: Actor) -> None:
    """Bring a version into force from its day on. Raises Conflict, Forbidden, or Invalid where its day has begun."""
    domain.check_decidable(row.status, ActorRef.parse(row.uploaded_by).ref, actor.ref.ref)
    domain.check_first_day(row.effective_from, tx.now)
    taken = await tx.session.scalar(
        select(col(PackVersionRow.pack_version)).where(
            col(PackVersionRow.pack) == row.pack,
            col(PackVersionRow.effective_from) == row.effective_from,
            col(PackVersionRow.status) == PackStatus.ACTIVATED,
        )
    )
    if taken is not None:
        raise Conflict("day-taken", f"The version {taken!r} comes into force on the same day. Choose another day.")
    _decide(tx, row, PackStatus.ACTIVATED, actor)
    event = RulePackActivated(
        pack_version_id=row.id,
        pack=row.pack,
        pack_version=row.pack_version,
        pack_digest=row.digest,
        effective_from=row.effective_from,
        yaml=row.yaml,
    )
    await LAWBOOK.learn(tx, event)
    tx.publish(event, aggregate=row, key=row.id)


def reject(tx: Transaction, row: PackVersionRow, *, actor: Actor) -> None:
    """Let a version not come into force. Raises Conflict, Forbidden."""
    domain.check_decidable(row.status, ActorRef.parse(row.uploaded_by).ref, actor.ref.ref)
    _decide(tx, row, PackStatus.REJECTED, actor)
    row.version += 1


def _decide(tx: Transaction, row: PackVersionRow, status: PackStatus, actor: Actor) -> None:
    row.status, row.decided_by, row.decided_at = status, str(actor.ref), tx.now
