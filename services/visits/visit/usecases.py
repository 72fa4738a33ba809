"""Plan, dispatch, depart, cancel: each step locks the case, asks the gate where the law judges it, stores what it said,
and publishes. A refusal of the gate is a result: it is committed with its reasons."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.distance import Position
from services.visits.gate import usecases as gate
from services.visits.gate.facts import with_team
from services.visits.gate.usecases import Judged
from services.visits.people import teams
from services.visits.people.domain import OffDuty
from services.visits.settings import VisitsSettings
from services.visits.visit import crews, domain, sealed
from services.visits.visit.domain import IncidentKind, VisitStatus
from services.visits.visit.tables import VisitRow
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Forbidden, NotFound
from shared.events.visits import (
    IncidentReported,
    VisitBlocked,
    VisitCancelled,
    VisitDeparted,
    VisitDispatched,
    VisitPlanned,
)
from shared.ids import new_id
from shared.law import Disposition, DispositionGroup, Facts, Step, VisitPurpose


@dataclass(frozen=True, slots=True)
class PlannedStop:
    """Where a visit stands on a route. Position in degrees."""

    team_id: UUID
    collector_ids: list[UUID]
    place_in_route: int
    start: datetime
    end: datetime
    position: Position


def plan_visit(case: CaseloadRow, stop: PlannedStop, *, plan_id: UUID) -> VisitRow:
    """A planned visit. `store_planned` stores it with its position."""
    start = stop.start.astimezone(ZoneInfo(case.time_zone))
    return VisitRow(
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
        day_ends_at=domain.day_end(start.date(), case.time_zone),
        version=0,
    )


async def store_planned(tx: Transaction, planned: Sequence[tuple[VisitRow, Position]]) -> None:
    """Store planned visits and seal their positions: three statements, however many there are."""
    tx.session.add_all([visit for visit, _ in planned])
    await tx.session.flush()
    tx.session.add_all(await sealed.new_secrets(tx, planned))


def carry_over(visit: VisitRow, plan_id: UUID, place_in_route: int) -> None:
    """A planned visit keeps team and time, and is part of another plan now."""
    visit.plan_id, visit.place_in_route = plan_id, place_in_route


def move(visit: VisitRow, stop: PlannedStop, plan_id: UUID) -> None:
    """A planned visit has another team or time, and is part of another plan now."""
    carry_over(visit, plan_id, stop.place_in_route)
    visit.team_id, visit.collector_ids = stop.team_id, [str(collector_id) for collector_id in stop.collector_ids]
    visit.window_start, visit.window_end = stop.start, stop.end


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
    agency = (await caseload.agencies_of(tx, [case])).get(case.lender_id)
    crew = crews.crew_at(visit, await crews.off_duty_of(tx, visit, at))
    known = with_team(facts_of(case, at, agency), await teams.collector_facts(tx, crew, at), settings)
    under_way = [
        (other.case_id == case.id, min(other.window_start, at))
        for other in others
        if visit.missed_status is None or other.window_start <= at  # late evidence: not those that were sent since
    ]
    return known.model_copy(
        update={
            "purpose": VisitPurpose(visit.purpose),
            "contact_visits": (*known.contact_visits, *(start for same, start in under_way if same)),
            "other_cases_visits": (*known.other_cases_visits, *(start for same, start in under_way if not same)),
        }
    )


def publish_planned(tx: Transaction, visit: VisitRow) -> None:
    """The visit stands on a team's route, with these collectors, at this time."""
    event = VisitPlanned(
        case_id=visit.case_id,
        visit_id=visit.id,
        plan_id=visit.plan_id,
        team_id=visit.team_id,
        collector_ids=visit.team,
        purpose=visit.purpose,
        window_start=visit.window_start,
        window_end=visit.window_end,
    )
    tx.publish(event, aggregate=visit)


def blocked(tx: Transaction, visit: VisitRow, judged: Judged) -> None:
    event = VisitBlocked(
        case_id=visit.case_id,
        visit_id=visit.id,
        step=judged.decision.step,
        decision_id=judged.id,
        rules=judged.rules,
        collector_ids=visit.team,
    )
    tx.publish(event, aggregate=visit)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a dispatch. `off`: collectors who are off duty, where that is why the team may not go."""

    judged: Judged
    off: list[OffDuty]


async def dispatch(tx: Transaction, visit: VisitRow, case: CaseloadRow, settings: VisitsSettings) -> Sent:
    """Send the team, if the law lets it come to the door when it will be there. Raises Conflict for a visit that is not
    planned or whose case is closed, and where too few collectors are on duty and no rule of law says so."""
    domain.check_status(visit.status, [VisitStatus.PLANNED], to="dispatched")
    domain.check_not_closed(case.closed_at, tx.now)
    start, end = domain.time_of_act(visit.window_start, visit.window_end, tx.now)
    facts = (await facts_at(tx, visit, case, start, settings)).model_copy(update={"ends_at": end})
    off = await crews.off_duty_of(tx, visit, tx.now)
    judged = await gate.decide(tx, case, Step.DISPATCH, facts, visit_id=visit.id)
    off = off if crews.cannot_go(visit, off) else []
    if judged.blocked:
        blocked(tx, visit, judged)
        return Sent(judged, off)
    crews.check_can_go(off)
    visit.status, visit.dispatched_at = VisitStatus.DISPATCHED, tx.now
    event = VisitDispatched(
        case_id=visit.case_id,
        visit_id=visit.id,
        team_id=visit.team_id,
        collector_ids=visit.team,
        decision_id=judged.id,
    )
    tx.publish(event, aggregate=visit)
    return Sent(judged, [])


async def depart(tx: Transaction, visit: VisitRow, case: CaseloadRow, *, actor: Actor) -> None:
    """The team that was sent sets out. Asked again, also after the check-in, it changes nothing. Raises Conflict."""
    if visit.status in (VisitStatus.EN_ROUTE, VisitStatus.CHECKED_IN):
        return
    domain.check_status(visit.status, [VisitStatus.DISPATCHED], to="departed")
    domain.check_not_closed(case.closed_at, tx.now)
    off = await crews.off_duty_of(tx, visit, tx.now)
    crews.check_can_go([each for each in off if str(each.collector_id) == actor.subject])
    crews.check_can_go(off if crews.cannot_go(visit, off) else [])
    visit.status = VisitStatus.EN_ROUTE
    event = VisitDeparted(case_id=visit.case_id, visit_id=visit.id, team_id=visit.team_id, collector_ids=visit.team)
    tx.publish(event, aggregate=visit)


async def cancel(tx: Transaction, visit: VisitRow, case: CaseloadRow, reason: Disposition) -> None:
    """Take a visit off before a team comes to the door."""
    domain.check_status(visit.status, domain.NOT_STARTED, to="cancelled")
    end_unperformed(visit, VisitStatus.CANCELLED, reason)
    event = VisitCancelled(case_id=visit.case_id, visit_id=visit.id, reason=reason, collector_ids=visit.team)
    tx.publish(event, aggregate=visit)
    if reason is Disposition.SAFETY_ABORT:
        await note_unsafe(tx, visit, case)


async def note_unsafe(tx: Transaction, visit: VisitRow, case: CaseloadRow) -> None:
    """A visit was given up because it was not safe: an incident, and the person's cases are hazardous until a newer
    safety plan."""
    await caseload.mark_unsafe(tx, case)
    report_incident(tx, visit, IncidentKind.SAFETY)


def report_incident(
    tx: Transaction, visit: VisitRow, kind: IncidentKind, *, rules: Sequence[str] = (), missing: Sequence[str] = ()
) -> None:
    """Publish what a person must look into."""
    event = IncidentReported(
        case_id=visit.case_id,
        visit_id=visit.id,
        incident_id=new_id(),
        kind=kind,
        rules=list(rules),
        missing=list(missing),
        collector_ids=visit.team,
    )
    tx.publish(event, aggregate=visit)


def end_unperformed(visit: VisitRow, status: VisitStatus, reason: Disposition) -> None:
    """Raises Forbidden for a reason of a visit that took place."""
    if reason.group is not DispositionGroup.NOT_PERFORMED:
        raise Forbidden("reason", "`reason` must be one of the group not performed: the visit did not take place.")
    visit.status, visit.disposition = status, reason


def commitment(value: str) -> tuple[str, bytes]:
    """SHA-256 (hex) over a fresh salt and the value, and the salt: what the trail holds instead of the words."""
    salt = os.urandom(32)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(b"doorstep/priv/v1\0" + salt + text).hexdigest(), salt
