"""Complete a visit: what happened is stored as it happened. The gate blocks nothing here; a missing proof makes the
record incomplete and is named."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.caseload.tables import CaseloadRow
from services.visits.gate import usecases as gate
from services.visits.gate.usecases import Judged
from services.visits.settings import VisitsSettings
from services.visits.visit import clocks, domain, reporting, sealed
from services.visits.visit.domain import IncidentKind, VisitStatus
from services.visits.visit.schemas import OF_THE_ATTEMPT, CompleteVisitBody, ReportWarning
from services.visits.visit.tables import ReceiptRow, VisitRow
from services.visits.visit.usecases import commitment, facts_at, report_incident
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict
from shared.events.values import Amount, Cash, EvidenceDigest
from shared.events.values import Instalment as InstalmentValue
from shared.events.visits import CashReceived, PromiseTerms, VisitCompleted
from shared.ids import new_id
from shared.instalments import Part
from shared.law import DispositionGroup, Finding, Step

TIMES = ("ended_at", "asked_to_leave_at", "left_at")
OF_THE_SENDING = {*OF_THE_ATTEMPT, "entry_reason"}


async def complete(
    tx: Transaction,
    visit: VisitRow,
    case: CaseloadRow,
    body: CompleteVisitBody,
    *,
    actor: Actor,
    settings: VisitsSettings,
) -> list[ReportWarning]:
    """Write the visit down. The same record again changes nothing. Returns what is odd about its times. Raises Invalid
    for a record that cannot be true, Conflict where the visit did not start or has another record."""
    if visit.status == VisitStatus.COMPLETED:
        await _check_same(tx, visit, body)
        return []
    domain.check_status(visit.status, [VisitStatus.CHECKED_IN], to="complete")
    receipt = reporting.receipt_of(visit, body, actor=actor, now=tx.now, previous_step=visit.started_at)
    times = clocks.read_all({name: getattr(body, name) for name in TIMES}, receipt)
    reported = reporting.stored(times, receipt, actor)
    said, body = body, body.model_copy(update={name: time.at for name, time in times.items()})
    started_at = visit.started_at or body.ended_at
    body.ended_at = domain.settled_end(started_at, body.ended_at)
    domain.check_outcome(body.disposition, body.person_met)
    promise = _promise(visit, case, body)
    cash = await _cash(tx, visit, case, body)
    judged = await _judge(tx, visit, case, body, started_at, settings)
    statement_commitment = await _seal_statement(tx, visit, body.statement)
    visit.status, visit.ended_at, visit.overdue_since = VisitStatus.COMPLETED, body.ended_at, None
    visit.disposition, visit.person_met = body.disposition, body.person_met
    visit.record_incomplete = judged.decision.record_incomplete
    visit.record = said.model_dump(mode="json", exclude={"statement", *OF_THE_SENDING}) | {
        "promise_id": str(promise.promise_id) if promise else None,
        "decision_id": str(judged.id),
        "missing": judged.decision.missing,
        "reported": reported,
    }
    await _change_caseload(tx, case, visit, body, settings)
    event = VisitCompleted(
        case_id=visit.case_id,
        visit_id=visit.id,
        team_id=visit.team_id,
        collector_ids=visit.team,
        purpose=visit.purpose,
        started_at=started_at,
        ended_at=body.ended_at,
        disposition=body.disposition,
        person_met=body.person_met,
        contact=body.disposition.contact_made,
        willingness=body.willingness,
        ability=body.ability,
        promise=promise,
        cash=cash,
        evidence=[EvidenceDigest(**item.model_dump()) for item in body.evidence],
        decision_id=judged.id,
        record_incomplete=judged.decision.record_incomplete,
        missing=judged.decision.missing,
        statement_commitment=statement_commitment,
        time_zone=visit.time_zone,
        reported=reporting.published(reported),
    )
    tx.publish(event, aggregate=visit)
    if cash is not None:
        _publish_cash(tx, visit, cash, body.ended_at)
    incomplete = [each for each in judged.decision.findings if each.record_incomplete]
    report_incidents(tx, visit, IncidentKind.RECORD_INCOMPLETE, incomplete)
    report_incidents(tx, visit, IncidentKind.RULE_BROKEN, judged.decision.incidents)
    return reporting.warnings_of(times)


async def _check_same(tx: Transaction, visit: VisitRow, body: CompleteVisitBody) -> None:
    """Raises Conflict where the visit was completed with another record, and names the fields."""
    record = {name: value for name, value in visit.record.items() if name in CompleteVisitBody.model_fields}
    try:
        stored = CompleteVisitBody.model_validate(record).model_dump(exclude=OF_THE_SENDING)
        sent = body.model_dump(exclude=OF_THE_SENDING)
    except ValidationError:  # an earlier release took what is refused now
        stored, sent = record, body.model_dump(mode="json", exclude=OF_THE_SENDING)
    stored["statement"] = await sealed.statement_of(tx, visit)
    differs = domain.differing(stored, sent)
    if differs:
        raise Conflict(
            "already-completed",
            f"This visit is completed already, with another record: {', '.join(differs)}. What happened later is a new "
            "visit; a proof that is missing is added as a supplement.",
            differs=differs,
        )


def report_incidents(tx: Transaction, visit: VisitRow, kind: IncidentKind, found: Sequence[Finding]) -> None:
    """One incident for all findings of a kind, if there are any."""
    if not found:
        return
    rules, missing = [each.rule_id for each in found], sorted({name for each in found for name in each.missing})
    report_incident(tx, visit, kind, rules=rules, missing=missing)


def _promise(visit: VisitRow, case: CaseloadRow, body: CompleteVisitBody) -> PromiseTerms | None:
    if body.promise is None:
        return None
    instalments = [
        Part(item.due_on, domain.money_of(item.amount.amount, item.amount.currency))
        for item in body.promise.instalments
    ]
    day = body.ended_at.astimezone(ZoneInfo(visit.time_zone)).date()
    domain.check_promise(
        body.disposition, instalments, on=day, currency=case.currency, balance_minor=case.balance_minor
    )
    values = [InstalmentValue(due_on=item.due_on, amount=Amount.of(item.money)) for item in instalments]
    return PromiseTerms(
        promise_id=new_id(),
        instalments=values,
        account_ids=body.promise.account_ids or None,
        down_payment=body.promise.down_payment or None,
        on_missed=body.promise.on_missed,
    )


async def _cash(tx: Transaction, visit: VisitRow, case: CaseloadRow, body: CompleteVisitBody) -> Cash | None:
    if body.cash is None:
        return None
    money = domain.money_of(body.cash.amount.amount, body.cash.amount.currency)
    domain.check_cash(money, currency=case.currency)
    used = await tx.session.scalar(
        select(col(ReceiptRow.visit_id)).where(
            col(ReceiptRow.lender_id) == visit.lender_id, col(ReceiptRow.receipt_number) == body.cash.receipt_number
        )
    )
    if used is not None:
        raise Conflict("receipt-used", "`receipt_number` was used already: take the next receipt.")
    tx.session.add(
        ReceiptRow(
            visit_id=visit.id,
            lender_id=visit.lender_id,
            receipt_number=body.cash.receipt_number,
            amount_minor=money.minor,
            currency=money.currency,
        )
    )
    return Cash(receipt_number=body.cash.receipt_number, amount=Amount.of(money))


async def _judge(
    tx: Transaction,
    visit: VisitRow,
    case: CaseloadRow,
    body: CompleteVisitBody,
    started_at: datetime,
    settings: VisitsSettings,
) -> Judged:
    """Judge the whole visit, from the check-in to its end."""
    facts = await facts_at(tx, visit, case, started_at, settings)
    facts = facts.model_copy(
        update={
            "ends_at": body.ended_at,
            "checked_in": tuple(visit.check_ins),
            "indoor": body.indoor,
            "person_met": body.person_met,
            "credentials_shown": body.credentials_shown,
            "authority_shown": body.authority_shown,
            "fees_taken": body.fees_taken,
            "consents": facts.consents | body.consents,
            "recordings": domain.recordings(item.media_type for item in body.evidence),
            "willing_now": body.willing_now,
            "asked_to_leave": facts.asked_to_leave + ((body.asked_to_leave_at,) if body.asked_to_leave_at else ()),
            "left_at": body.left_at,
            "conduct": frozenset(body.conduct),
            "arrangement_months": _months(visit, body),
        }
    )
    return await gate.decide(tx, case, Step.COMPLETION, facts, visit_id=visit.id)


def _months(visit: VisitRow, body: CompleteVisitBody) -> int | None:
    """How long the agreed instalments run, in months begun."""
    if body.promise is None:
        return None
    first, last = visit.day, body.promise.instalments[-1].due_on
    months = (last.year - first.year) * 12 + last.month - first.month
    return months + (last.day > first.day)


async def _seal_statement(tx: Transaction, visit: VisitRow, statement: str | None) -> str | None:
    """The debtor's words stay sealed here; the trail gets a commitment that only their salt can open."""
    if statement is None:
        return None
    digest, salt = commitment(statement)
    await sealed.store_statement(tx, visit, statement, salt)
    return digest


async def _change_caseload(
    tx: Transaction, case: CaseloadRow, visit: VisitRow, body: CompleteVisitBody, settings: VisitsSettings
) -> None:
    """Whoever was met is not visited again until followup asks for it; who was not met is tried again later."""
    await caseload.note_visit(
        tx, case, body.ended_at, contact=body.disposition.contact_made, asked_to_leave_at=body.asked_to_leave_at
    )
    is_tried_again = body.disposition.group is DispositionGroup.NO_CONTACT
    again_on = domain.days_after(visit.day, settings.no_contact_retry_days) if is_tried_again else None
    caseload.settle(case, again_on=again_on)


def _publish_cash(tx: Transaction, visit: VisitRow, cash: Cash, ended_at: datetime) -> None:
    event = CashReceived(
        case_id=visit.case_id,
        visit_id=visit.id,
        receipt_number=cash.receipt_number,
        amount=cash.amount,
        received_on=ended_at.astimezone(ZoneInfo(visit.time_zone)).date(),
        collector_ids=visit.team,
    )
    tx.publish(event, aggregate=visit)
