"""A step that the gate stopped, as the fields of a problem document."""

from collections.abc import Sequence
from typing import Any

from services.visits.gate.usecases import Judged, refusal
from services.visits.people import domain as people_domain
from services.visits.people.domain import OffDuty
from services.visits.visit import crews


def fields_of(judged: Judged, off: Sequence[OffDuty] = ()) -> dict[str, Any]:
    """Code, sentences, the rules and, where collectors are off duty, who."""
    reasons = " ".join(finding.reason_en for finding in judged.decision.deciding)
    if not off:
        return {"code": "rule-blocked", "detail": reasons, **refusal(judged)}
    return {
        "code": people_domain.off_duty_code(off),
        "detail": f"{crews.words(off)} {reasons}",
        **refusal(judged),
        **people_domain.off_duty_fields(off),
    }
