"""Register collectors, correct what is known about them, add certificates, and change their status. Each change is
kept with who made it, when and why, and with old and new values."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from services.visits.people import domain, sealed
from services.visits.people.domain import Action, CollectorStatus
from services.visits.people.schemas import CertificateBody, CollectorBody, CorrectionBody
from services.visits.people.tables import CollectorChangeRow, CollectorRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.visits import CollectorCorrected, CollectorStatusChanged
from shared.ids import new_id


async def register_collector(tx: Transaction, body: CollectorBody) -> CollectorRow:
    """Register a collector. Raises Conflict for an id that is registered already, Invalid for a certificate that ends
    before it begins."""
    _check_certificates(body.certificates)
    if body.id is not None and await tx.session.get(CollectorRow, body.id) is not None:
        raise _exists()
    collector_id = body.id or new_id()
    row = CollectorRow(
        id=collector_id,
        sealed_name=await sealed.seal_name(tx, collector_id, body.name),
        statuses=[],
        version=0,
        **body.model_dump(mode="json", exclude={"id", "name", "last_assessed_on"}),
        last_assessed_on=body.last_assessed_on,
    )
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError:  # the same id at the same moment
        raise _exists() from None
    _publish_status(tx, row)
    return row


def _exists() -> Conflict:
    return Conflict("collector-exists", "`id` is taken by another collector: change that one, or leave `id` out.")


def _check_certificates(certificates: Sequence[CertificateBody]) -> None:
    if any(each.valid_until < each.valid_from for each in certificates):
        raise Invalid(
            "certificate-reversed", "`valid_until` of a certificate must be on or after `valid_from`. Correct one."
        )


async def lock_collector(tx: Transaction, collector_id: UUID) -> CollectorRow:
    """Raises NotFound."""
    return (await lock_collectors(tx, [collector_id]))[collector_id]


async def lock_collectors(tx: Transaction, collector_ids: Sequence[UUID]) -> dict[UUID, CollectorRow]:
    """Collectors locked in the order of their ids. Raises NotFound for one who is not registered."""
    rows = await tx.session.scalars(
        select(CollectorRow)
        .where(col(CollectorRow.id).in_(collector_ids))
        .order_by(col(CollectorRow.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = {row.id: row for row in rows}
    if not found.keys() >= set(collector_ids):
        raise NotFound(
            "collector-not-found",
            "`collector_ids` names a collector that is not registered: register the person first.",
        )
    return found


async def add_certificate(tx: Transaction, row: CollectorRow, body: CertificateBody, *, actor: Actor) -> None:
    """Record a certificate; the same one again changes nothing. Raises Conflict for a collector who left, Invalid for
    a certificate that ends before it begins."""
    _check_certificates([body])
    _check_not_left(row)
    certificate = body.model_dump(mode="json")
    if certificate in row.certificates:
        return
    old = row.certificates
    row.certificates = [*old, certificate]
    values = {"old": {"certificates": old}, "new": {"certificates": row.certificates}}
    change = await _note(tx, row, "CERTIFICATE_ADDED", ["certificates"], values, actor=actor)
    _publish_status(tx, row, change_id=change.id)


async def correct(tx: Transaction, row: CollectorRow, body: CorrectionBody, *, actor: Actor) -> None:
    """Correct facts. Facts that are right already are no change. Raises Conflict for a collector who left, Invalid for
    a certificate that ends before it begins."""
    _check_certificates(body.certificates or [])
    _check_not_left(row)
    old = await _values(tx, row, body.named)
    wanted = body.model_dump(mode="json", include=body.named)
    changed = sorted(name for name in body.named if old[name] != wanted[name])
    if not changed:
        return
    for name in changed:
        if name == "name":
            row.sealed_name = await sealed.seal_name(tx, row.id, str(body.name))
        else:
            setattr(row, name, body.last_assessed_on if name == "last_assessed_on" else wanted[name])
    details = {
        "reason": body.reason,
        "old": {name: old[name] for name in changed},
        "new": {name: wanted[name] for name in changed},
    }
    change = await _note(tx, row, "CORRECTED", changed, details, actor=actor)
    event = CollectorCorrected(collector_id=row.id, change_id=change.id, fields=changed)
    tx.publish(event, aggregate=row)
    if "certificates" in changed:
        _publish_status(tx, row, change_id=change.id)


async def _values(tx: Transaction, row: CollectorRow, names: set[str]) -> dict[str, Any]:
    """The facts as JSON has them."""
    known = row.model_dump(mode="json", include=names - {"name"})
    return known | ({"name": await sealed.name_of(tx, row)} if "name" in names else {})


def _check_not_left(row: CollectorRow) -> None:
    if row.status == CollectorStatus.LEFT:
        raise Conflict("collector-left", "This collector has left: the record cannot change any more.")


async def change_status(tx: Transaction, row: CollectorRow, action: Action, reason: str, *, actor: Actor) -> bool:
    """Change the status of a locked collector. Returns False where it is so already, for the same reason. Raises
    Conflict where the action does not fit, or was done for another reason."""
    status = CollectorStatus(row.status)
    if domain.is_done(status, action) and await _last_reason(tx, row, action) == reason:
        return False
    before = domain.status_before_suspension(row.statuses)
    changed = domain.next_status(status, action, before=before)
    row.statuses = [*row.statuses, {"before": status, "status": changed, "from": tx.now.isoformat()}]
    row.status = changed
    details = {"reason": reason, "old": {"status": status}, "new": {"status": changed}}
    change = await _note(tx, row, action, ["status"], details, actor=actor)
    _publish_status(tx, row, change_id=change.id, previous=status)
    return True


async def _last_reason(tx: Transaction, row: CollectorRow, action: Action) -> str | None:
    """Why the status changed last, where it was by this action."""
    last = await tx.session.scalar(
        select(CollectorChangeRow)
        .where(col(CollectorChangeRow.collector_id) == row.id, col(CollectorChangeRow.what).in_(Action))
        .order_by(col(CollectorChangeRow.id).desc())
        .limit(1)
    )
    if last is None or last.what != action:
        return None
    [details] = await sealed.details_of(tx, [last])
    return details.get("reason")


async def _note(
    tx: Transaction,
    row: CollectorRow,
    what: str,
    fields: list[str],
    details: Mapping[str, Any],
    *,
    actor: Actor,
) -> CollectorChangeRow:
    change_id = new_id()
    change = CollectorChangeRow(
        id=change_id,
        collector_id=row.id,
        what=what,
        fields=fields,
        made_by=str(actor.ref),
        made_at=tx.now,
        sealed_details=await sealed.seal_details(tx, row.id, change_id, details),
    )
    tx.session.add(change)
    return change


def _publish_status(
    tx: Transaction, row: CollectorRow, *, change_id: UUID | None = None, previous: CollectorStatus | None = None
) -> None:
    codes = sorted({certificate["code"] for certificate in row.certificates})
    event = CollectorStatusChanged(
        collector_id=row.id, status=row.status, certificates=codes, previous_status=previous, change_id=change_id
    )
    tx.publish(event, aggregate=row)
