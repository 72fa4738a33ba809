"""Plan, dispatch, check in, complete, abort: each step locks the case, asks the gate, stores what it said, and
publishes. A refusal of the gate is a result: it is committed with its reasons."""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.distance import beeline_metres
from services.visits.gate import usecases as gate
from services.visits.gate.facts import with_team
from services.visits.gate.usecases import Judged
from services.visits.people import usecases as people
from services.visits.settings import VisitsSettings
from services.visits.visit import domain
from services.visits.visit.domain import VisitStatus
from services.visits.visit.schemas import CheckInBody
from services.visits.visit.tables import VisitRow, VisitSecretRow
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Forbidden, NotFound
from shared.events.values import CheckIn
from shared.events.visits import VisitAborted, VisitBlocked, VisitCancelled, VisitDispatched, VisitStarted
from shared.ids import new_id
from shared.law import Disposition, DispositionGroup, Document, Facts, Step, VisitPurpose
from shared.sealing import Sealer

POSITION = "visit-position"


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """Where a visit stands on a route. Position in degrees."""

    team_id: UUID
    collector_ids: list[UUID]
    place_in_route: int
    start: datetime
    end: datetime
    position: tuple[float, float]


def plan_visit(
    tx: Transaction, case: CaseloadRow, stop: PlannedStop, *, plan_id: UUID, master: Sealer
) -> tuple[VisitRow, VisitSecretRow]:
    """The rows of a planned visit; the position is sealed under a key of the visit's own."""
    wrapped, key = master.new_subject_key()
    start = stop.start.astimezone(ZoneInfo(case.time_zone))
    visit = VisitRow(
        id=new_id(),
        case_id=case.id,
        lender_id=case.lender_id or "",
        plan_id=plan_id,
        team_id=stop.team_id,
        collector_ids=[str(collector_id) for collector_id in stop.collector_ids],
        day=start.date(),
        place_in_route=stop.place_in_route,
        status=VisitStatus.PLANNED,
        purpose=case.purpose,
        time_zone=case.time_zone,
        window_start=stop.start,
        window_end=stop.end,
        check_ins={},
        record={},
        version=0,
    )
    secret = VisitSecretRow(
        visit_id=visit.id, wrapped_key=wrapped, sealed_position=key.seal(json.dumps(stop.position).encode(), POSITION)
    )
    return visit, secret


async def find(tx: Transaction, visit_id: UUID, *, seen_by: Actor) -> VisitRow:
    """Raises NotFound where the actor may not see it."""
    found = await tx.session.get(VisitRow, visit_id)
    if found is None or not may_see(found, seen_by):
        raise _not_found()
    return found


async def lock(tx: Transaction, visit_id: UUID, *, seen_by: Actor) -> tuple[VisitRow, CaseloadRow]:
    """A visit and its case, locked with the person's other cases, the visit first: nobody who holds a case waits for a
    visit of it. Raises NotFound where the actor may not see it."""
    found = await tx.session.get(VisitRow, visit_id, with_for_update=True)
    if found is None or not may_see(found, seen_by):
        raise _not_found()
    return found, (await caseload.lock_person(tx, found.case_id))[found.case_id]


def _not_found() -> NotFound:
    return NotFound("visit-not-found", "There is no such visit here.")


def may_see(visit: VisitRow, actor: Actor) -> bool:
    """A collector sees the visits of the own team."""
    return not actor.has(Role.COLLECTOR) or actor.has(Role.SUPERVISOR) or actor.subject in visit.collector_ids


async def facts_at(
    tx: Transaction, visit: VisitRow, case: CaseloadRow, at: datetime, settings: VisitsSettings
) -> Facts:
    """The facts of a step of a visit. Other visits of the person that are under way count as contact: of two
    dispatches under a cap one gets through."""
    others = await tx.session.scalars(
        select(VisitRow).where(
            col(VisitRow.case_id).in_([case.id, *await caseload.other_cases(tx, case)]),
            col(VisitRow.id) != visit.id,
            col(VisitRow.status).in_(domain.UNDER_WAY),
        )
    )
    known = with_team(facts_of(case, at), await people.team_facts(tx, visit.team_id), settings)
    under_way = [(other.case_id == case.id, min(other.window_start, at)) for other in others]
    return known.model_copy(
        update={
            "purpose": VisitPurpose(visit.purpose),
            "contact_visits": (*known.contact_visits, *(start for same, start in under_way if same)),
            "other_cases_visits": (*known.other_cases_visits, *(start for same, start in under_way if not same)),
        }
    )


def _blocked(tx: Transaction, visit: VisitRow, judged: Judged) -> None:
    event = VisitBlocked(
        case_id=visit.case_id,
        visit_id=visit.id,
        step=judged.decision.step,
        decision_id=judged.id,
        rules=judged.rules,
        collector_ids=visit.team,
    )
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)


async def dispatch(tx: Transaction, visit: VisitRow, case: CaseloadRow, settings: VisitsSettings) -> Judged:
    """Send the team, if the law lets it come to the door when it will be there."""
    domain.check_status(visit.status, [VisitStatus.PLANNED], to="dispatched")
    start, end = domain.time_of_act(visit.window_start, visit.window_end, tx.now)
    facts = (await facts_at(tx, visit, case, start, settings)).model_copy(update={"ends_at": end})
    judged = await gate.decide(tx, case, Step.DISPATCH, facts, visit_id=visit.id)
    if judged.blocked:
        _blocked(tx, visit, judged)
        return judged
    visit.status = VisitStatus.DISPATCHED
    event = VisitDispatched(
        case_id=visit.case_id,
        visit_id=visit.id,
        team_id=visit.team_id,
        collector_ids=visit.team,
        decision_id=judged.id,
    )
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)
    return judged


async def check_in(
    tx: Transaction,
    visit: VisitRow,
    case: CaseloadRow,
    body: CheckInBody,
    *,
    actor: Actor,
    master: Sealer,
    settings: VisitsSettings,
) -> Judged | None:
    """Note a collector's arrival. When enough have come, the gate judges; None while it waits for more."""
    domain.check_status(visit.status, [VisitStatus.DISPATCHED], to="checked in")
    if str(body.collector_id) not in visit.collector_ids:
        raise NotFound("collector-not-on-team", "This collector is not on the team of this visit.")
    if not actor.has(Role.SUPERVISOR) and actor.subject != str(body.collector_id):
        raise Forbidden("check-in-for-another", "Each collector checks in with the own phone.")
    domain.check_time(body.device_time, tx.now)
    distance_m = await _distance(tx, visit, body, master)
    visit.check_ins = {**visit.check_ins, str(body.collector_id): _arrival(body, distance_m, tx.now)}
    if len(visit.check_ins) < min(domain.COLLECTORS_MIN, len(visit.collector_ids)):
        return None
    arrivals = list(visit.check_ins.values())
    at = max(datetime.fromisoformat(arrival["device_time"]) for arrival in arrivals)
    facts = (await facts_at(tx, visit, case, at, settings)).model_copy(
        update={
            "checked_in": tuple(visit.check_ins),
            "carried": _carried(arrivals),
            "distance_m": _most(arrivals, "distance_m"),
            "accuracy_m": _most(arrivals, "accuracy_m"),
            "clock_offset_seconds": _most(arrivals, "clock_offset_seconds"),
        }
    )
    judged = await gate.decide(tx, case, Step.CHECK_IN, facts, visit_id=visit.id)
    if judged.blocked:
        _blocked(tx, visit, judged)
        return judged
    visit.status, visit.started_at = VisitStatus.CHECKED_IN, at
    check_ins = [
        CheckIn(
            collector_id=UUID(ref),
            device_time=datetime.fromisoformat(arrival["device_time"]),
            distance_m=_rounded(arrival["distance_m"]),
            accuracy_m=_rounded(arrival["accuracy_m"]),
        )
        for ref, arrival in visit.check_ins.items()
    ]
    event = VisitStarted(
        case_id=visit.case_id,
        visit_id=visit.id,
        check_ins=check_ins,
        decision_id=judged.id,
        collector_ids=visit.team,
    )
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)
    return judged


async def _distance(tx: Transaction, visit: VisitRow, body: CheckInBody, master: Sealer) -> float | None:
    """Metres from the planned position to where the phone believes to be."""
    secret = await tx.session.get(VisitSecretRow, visit.id)
    if secret is None or body.latitude is None or body.longitude is None:
        return None
    planned = json.loads(master.subject(secret.wrapped_key).open(secret.sealed_position, POSITION))
    return beeline_metres((planned[0], planned[1]), (body.latitude, body.longitude))


def _arrival(body: CheckInBody, distance_m: float | None, now: datetime) -> dict[str, Any]:
    """What is kept of a check-in: no position, only how far it was from the address."""
    offset = (body.device_now - now).total_seconds() if body.device_now else None
    return {
        "device_time": body.device_time.isoformat(),
        "server_time": now.isoformat(),
        "distance_m": distance_m,
        "accuracy_m": body.accuracy_m,
        "clock_offset_seconds": offset,
        "mock_location": body.mock_location,
        "carried": body.carried,
    }


def _carried(arrivals: list[dict[str, Any]]) -> frozenset[Document] | None:
    """What the team has along: one of them is enough. Unknown where nobody said."""
    told = [arrival["carried"] for arrival in arrivals if arrival["carried"] is not None]
    return frozenset(Document(name) for names in told for name in names) if told else None


def _most(arrivals: list[dict[str, Any]], name: str) -> float | None:
    """The worst of several readings; unknown if one of them is."""
    values = [arrival[name] for arrival in arrivals]
    return None if None in values else max(values, key=abs)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


async def abort(tx: Transaction, visit: VisitRow, case: CaseloadRow, reason: Disposition) -> None:
    """Break a visit off. The case is wanted again, on another day."""
    domain.check_status(visit.status, domain.UNDER_WAY, to="aborted")
    _end_unperformed(visit, VisitStatus.ABORTED, reason)
    event = VisitAborted(case_id=visit.case_id, visit_id=visit.id, reason=reason, collector_ids=visit.team)
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)


async def cancel(tx: Transaction, visit: VisitRow, case: CaseloadRow, reason: Disposition) -> None:
    """Take a visit off before anybody comes to the door."""
    domain.check_status(visit.status, [VisitStatus.PLANNED, VisitStatus.DISPATCHED], to="cancelled")
    _end_unperformed(visit, VisitStatus.CANCELLED, reason)
    event = VisitCancelled(case_id=visit.case_id, visit_id=visit.id, reason=reason, collector_ids=visit.team)
    tx.publish(event, aggregate=visit, key=visit.case_id, lender_id=visit.lender_id)


def _end_unperformed(visit: VisitRow, status: VisitStatus, reason: Disposition) -> None:
    if reason.group is not DispositionGroup.NOT_PERFORMED:
        raise Forbidden("reason", "A visit that did not take place has a reason of the group not performed.")
    visit.status, visit.disposition = status, reason


def commitment(value: str) -> tuple[str, bytes]:
    """SHA-256 (hex) over a fresh salt and the value, and the salt: what the trail holds instead of the words."""
    salt = os.urandom(32)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(b"doorstep/priv/v1\0" + salt + text).hexdigest(), salt
