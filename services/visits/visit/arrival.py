"""Check-in: a collector has arrived. The visit starts when enough have; the gate judges that moment, by the times that
the phones' clocks are corrected to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload.tables import CaseloadRow
from services.visits.distance import beeline_metres
from services.visits.gate import usecases as gate
from services.visits.gate.usecases import Judged
from services.visits.people import teams
from services.visits.people.domain import OffDuty
from services.visits.settings import VisitsSettings
from services.visits.visit import clocks, crews, domain, reporting, sealed
from services.visits.visit.clocks import ActTime, Receipt, TimeFlag
from services.visits.visit.domain import VisitStatus
from services.visits.visit.schemas import CheckInBody, ReportWarning
from services.visits.visit.tables import VisitRow
from services.visits.visit.usecases import blocked, facts_at
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Conflict, Forbidden, NotFound
from shared.events.values import CheckIn
from shared.events.visits import VisitStarted
from shared.law import Decision, Document, Facts, Step, Verdict

OPEN_TO_ARRIVAL = (VisitStatus.DISPATCHED, VisitStatus.EN_ROUTE)
OTHERS_KEPT = 5
ABOUT_THE_PHONE = frozenset({"distance_m", "accuracy_m", "clock_offset_seconds", "mock_location"})
_PLANNED_AGAIN = "Another visit of this case is open: cancel it, or its team comes a second time."


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of a check-in. `judged` is None while the visit waits for more collectors; `off`: collectors off duty,
    where that is why the visit may not start."""

    judged: Judged | None = None
    warnings: list[ReportWarning] = field(default_factory=list)
    off: list[OffDuty] = field(default_factory=list)


async def check_in(
    tx: Transaction,
    visit: VisitRow,
    case: CaseloadRow,
    body: CheckInBody,
    *,
    actor: Actor,
    settings: VisitsSettings,
) -> Arrived:
    """Store a collector's arrival, and start the visit when enough have come. The same check-in again changes nothing
    once the visit has started. Raises NotFound, Forbidden, Conflict or Invalid."""
    _check_collector(visit, body, actor)
    if _is_known(visit, body):
        return Arrived()
    late = domain.check_reportable(visit.status, visit.missed_status, OPEN_TO_ARRIVAL, to="checked in")
    receipt = reporting.receipt_of(visit, body, actor=actor, now=tx.now, previous_step=visit.dispatched_at)
    time = clocks.read(body.device_time, receipt)
    if late:
        domain.check_late_evidence(time.at, visit.day, visit.time_zone)
    domain.check_not_closed(case.closed_at, time.at)
    off = await crews.off_duty_of(tx, visit, time.at + clocks.TOLERANCE)
    if own := [each for each in off if each.collector_id == body.collector_id]:
        return await _refuse_off_duty(tx, visit, case, own, time.at, settings)
    distance_m = await _distance(tx, visit, body)
    arrival = _arrival(body, time, receipt, distance_m, actor, visit.check_ins.get(str(body.collector_id)))
    visit.check_ins = {**visit.check_ins, str(body.collector_id): arrival}
    odd = [ReportWarning(where="body.device_time", what=clocks.WORDS[TimeFlag(flag)]) for flag in arrival["flags"]]
    if crews.cannot_go(visit, off):
        odd.append(ReportWarning(where="visit.collector_ids", what=crews.words(off)))
    if late and await _is_planned_again(tx, visit):
        odd.append(ReportWarning(where="visit", what=_PLANNED_AGAIN))
    enough = len(visit.check_ins) >= min(domain.COLLECTORS_MIN, len(visit.collector_ids))
    arrivals = list(visit.check_ins.values()) if enough else [arrival]
    at = max(map(_at, arrivals))
    facts = _with_arrivals(await facts_at(tx, visit, case, at, settings), visit, arrivals)
    if not enough:
        [decision] = await gate.judge_all(tx, Step.CHECK_IN, [facts])
        return Arrived(None, odd + _about_the_phone(decision))
    judged = await gate.decide(tx, case, Step.CHECK_IN, facts, visit_id=visit.id)
    if judged.blocked:
        blocked(tx, visit, judged)
    else:
        _start(tx, visit, at, judged)
        if late:  # the record is due by the end of this day now
            today = tx.now.astimezone(ZoneInfo(visit.time_zone)).date()
            visit.day_ends_at = domain.day_end(today, visit.time_zone)
    left_alone = off if judged.blocked and crews.cannot_go(visit, off) else []
    return Arrived(judged, odd + _about_the_phone(judged.decision), left_alone)


async def _refuse_off_duty(
    tx: Transaction, visit: VisitRow, case: CaseloadRow, own: list[OffDuty], at: datetime, settings: VisitsSettings
) -> Arrived:
    """The check-in of a collector who was off duty at that time is not taken; the gate's decision is kept. Raises
    Conflict where no rule of law says so."""
    refs = [each.collector_id for each in own]
    facts = (await facts_at(tx, visit, case, at, settings)).model_copy(
        update={
            "collectors": await teams.collector_facts(tx, refs, at + clocks.TOLERANCE),
            "checked_in": (*visit.check_ins, *map(str, refs)),
        }
    )
    judged = await gate.decide(tx, case, Step.CHECK_IN, facts, visit_id=visit.id)
    if not judged.blocked:
        crews.check_can_go(own)
    blocked(tx, visit, judged)
    return Arrived(judged, off=own)


def _check_collector(visit: VisitRow, body: CheckInBody, actor: Actor) -> None:
    if str(body.collector_id) not in visit.collector_ids:
        raise NotFound("collector-not-on-team", "This collector is not on the team of this visit.")
    if not actor.has(Role.SUPERVISOR) and actor.subject != str(body.collector_id):
        raise Forbidden(
            "check-in-for-another",
            "`collector_id` must be the collector of this token: each one checks in with their own phone.",
        )


def _is_known(visit: VisitRow, body: CheckInBody) -> bool:
    """Whether this check-in is part of a visit that has started. Raises Conflict where another one is."""
    arrival = visit.check_ins.get(str(body.collector_id))
    if arrival is None or visit.started_at is None:
        return False
    times = [each["device_time"] for each in (arrival, *arrival.get("others", ()))]
    if body.device_time in map(datetime.fromisoformat, times):
        return True
    raise Conflict(
        "already-checked-in",
        "This collector has checked in at another time, and that started the visit: it cannot change.",
        differs=["device_time"],
    )


def _start(tx: Transaction, visit: VisitRow, at: datetime, judged: Judged) -> None:
    visit.status, visit.started_at = VisitStatus.CHECKED_IN, at
    visit.missed_reason, visit.disposition = None, None
    event = VisitStarted(
        case_id=visit.case_id,
        visit_id=visit.id,
        check_ins=[_published(UUID(ref), arrival) for ref, arrival in visit.check_ins.items()],
        decision_id=judged.id,
        collector_ids=visit.team,
        started_at=at,
    )
    tx.publish(event, aggregate=visit)


def _published(collector_id: UUID, arrival: dict[str, Any]) -> CheckIn:
    said, at, error = arrival["device_time"], _at(arrival), arrival["clock_offset_seconds"]
    return CheckIn(
        collector_id=collector_id,
        device_time=datetime.fromisoformat(said),
        at=at if at != datetime.fromisoformat(said) else None,
        clock_error_seconds=_rounded(error),
        distance_m=_rounded(arrival["distance_m"]),
        accuracy_m=_rounded(arrival["accuracy_m"]),
        mock_location=arrival["mock_location"] or None,
        flags=arrival.get("flags") or None,
        entered_by=arrival.get("entered_by"),
        entry_reason=arrival.get("entry_reason"),
    )


async def _distance(tx: Transaction, visit: VisitRow, body: CheckInBody) -> float | None:
    """Metres from the planned position to where the phone believes to be."""
    if body.latitude is None or body.longitude is None:
        return None
    planned = await sealed.position_of(tx, visit)
    return None if planned is None else beeline_metres(planned, (body.latitude, body.longitude))


def _arrival(
    body: CheckInBody,
    time: ActTime,
    receipt: Receipt,
    distance_m: float | None,
    actor: Actor,
    before: dict[str, Any] | None,
) -> dict[str, Any]:
    """What is stored of a check-in: no position, only how far it was from the address."""
    own_error = receipt.error if body.device_now else None
    arrival = {
        "device_time": body.device_time.isoformat(),
        "at": time.at.isoformat(),
        "server_time": receipt.received_at.isoformat(),
        "distance_m": distance_m,
        "accuracy_m": body.accuracy_m,
        "clock_offset_seconds": own_error.total_seconds() if own_error is not None else None,
        "mock_location": body.mock_location,
        "carried": body.carried,
        "flags": sorted(time.flags),
        "entered_by": str(actor.ref) if body.entry_reason else None,
        "entry_reason": body.entry_reason,
    }
    return arrival if before is None else _counting(before, arrival)


def _counting(before: dict[str, Any], arrival: dict[str, Any]) -> dict[str, Any]:
    """Of two check-ins of a collector the one that counts: the newest that a supervisor entered, else the later time.
    So no phone takes back an arrival at a forbidden hour. The other one stays beside it, in `others`."""
    others = before.get("others", [])
    before = {name: value for name, value in before.items() if name != "others"}
    if abs(_at(arrival) - _at(before)) <= clocks.TOLERANCE:
        counts = arrival
    elif arrival["entry_reason"] or (not before.get("entry_reason") and _at(arrival) > _at(before)):
        counts, others = arrival, [*others, before]
    else:
        counts, others = before, [*others, arrival]
    if not others:
        return counts
    flags = sorted({*counts.get("flags", ()), TimeFlag.CHECKED_IN_AGAIN})
    return counts | {"flags": flags, "others": others[-OTHERS_KEPT:]}


def _at(arrival: dict[str, Any]) -> datetime:
    """When a collector arrived. Rows of earlier releases know the phone's own time alone."""
    return datetime.fromisoformat(arrival.get("at") or arrival["device_time"])


def _with_arrivals(facts: Facts, visit: VisitRow, arrivals: list[dict[str, Any]]) -> Facts:
    return facts.model_copy(
        update={
            "checked_in": tuple(visit.check_ins),
            "carried": _carried(arrivals),
            "distance_m": _most(arrivals, "distance_m"),
            "accuracy_m": _most(arrivals, "accuracy_m"),
            "clock_offset_seconds": _most(arrivals, "clock_offset_seconds"),
            "mock_location": any(arrival["mock_location"] for arrival in arrivals),
        }
    )


def _carried(arrivals: list[dict[str, Any]]) -> frozenset[Document] | None:
    """What the team has along: one of them is enough. Unknown where no phone reports it."""
    reported = [arrival["carried"] for arrival in arrivals if arrival["carried"] is not None]
    return frozenset(Document(name) for names in reported for name in names) if reported else None


def _most(arrivals: list[dict[str, Any]], name: str) -> float | None:
    """The worst of several readings; unknown if one of them is."""
    values = [arrival[name] for arrival in arrivals]
    return None if None in values else max(values, key=abs)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _about_the_phone(decision: Decision) -> list[ReportWarning]:
    """What the law says of the phone's position and clock, as warnings by rule."""
    return [
        ReportWarning(where=finding.rule_id, what=finding.reason_en)
        for finding in decision.findings
        if finding.verdict is Verdict.WARN and ABOUT_THE_PHONE.intersection((*finding.inputs, *finding.missing))
    ]


async def _is_planned_again(tx: Transaction, visit: VisitRow) -> bool:
    other = select(col(VisitRow.id)).where(
        col(VisitRow.case_id) == visit.case_id,
        col(VisitRow.id) != visit.id,
        col(VisitRow.status).in_(domain.OPEN),
    )
    return await tx.session.scalar(other.limit(1)) is not None
