"""Fields of a phone's report that this service does not know. A newer phone may send them: the values are sealed under
the visit's own key, so that they are erased with it, and the answer names the fields."""

import json

from services.visits.visit.schemas import ReportWarning
from services.visits.visit.tables import UnknownFieldsRow, VisitRow, VisitSecretRow
from shared.auth import Actor
from shared.bodies import PhoneBody
from shared.database import Transaction
from shared.sealing import Sealer

WARNINGS_MAX = 50
_WHAT = "This service does not know the field. Its value is stored sealed with the visit and has no effect."


async def store(
    tx: Transaction, visit: VisitRow, report: str, body: PhoneBody, *, actor: Actor, master: Sealer
) -> list[ReportWarning]:
    """Seal the unknown fields of a report with its visit. `report` names it: check-in, complete, abort, or a supplement
    with what tells it from others. The same report of the same sender again replaces them. Returns a warning for
    each of the first WARNINGS_MAX fields."""
    found = body.unknown_fields
    secret = await tx.session.get(VisitSecretRow, visit.id) if found else None
    if secret is not None:
        packed = json.dumps([{"path": each.path, "value": each.value} for each in found]).encode()
        sealed = master.subject(secret.wrapped_key).seal(packed, purpose_of(report))
        await tx.session.merge(
            UnknownFieldsRow(
                visit_id=visit.id, report=report, sent_by=actor.subject, received_at=tx.now, sealed_fields=sealed
            )
        )
    return [ReportWarning(where=each.where, what=_WHAT) for each in found[:WARNINGS_MAX]]


def purpose_of(report: str) -> str:
    return f"visit-unknown-fields/{report}"
