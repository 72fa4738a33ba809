"""Fields of a phone's report that this service does not know. A newer phone may send them: the values are sealed by the
visit's key, so that they are erased with it, and the answer names the fields."""

import json

from services.visits.visit.schemas import ReportWarning
from services.visits.visit.sealed import VISIT, fields_place, subject_of
from services.visits.visit.tables import UnknownFieldsRow, VisitRow
from shared.auth import Actor
from shared.bodies import PhoneBody
from shared.database import Transaction

WARNINGS_MAX = 50
_WHAT = "This service does not know the field. Its value is stored sealed with the visit and has no effect."


async def store(tx: Transaction, visit: VisitRow, report: str, body: PhoneBody, *, actor: Actor) -> list[ReportWarning]:
    """Seal the unknown fields of a report with its visit. `report` names it: check-in, complete, abort, or a supplement
    with what tells it from others. The same report of the same sender again replaces them. Returns a warning for
    each of the first WARNINGS_MAX fields."""
    found = body.unknown_fields
    if found:
        packed = json.dumps([{"path": each.path, "value": each.value} for each in found]).encode()
        place = fields_place(visit.id, report, actor.subject)
        sealed = await tx.vault.seal(subject_of(visit), VISIT, place, packed)
        await tx.session.merge(
            UnknownFieldsRow(
                visit_id=visit.id, report=report, sent_by=actor.subject, received_at=tx.now, sealed_fields=sealed
            )
        )
    return [ReportWarning(where=each.where, what=_WHAT) for each in found[:WARNINGS_MAX]]
