"""Routes of the gate: dry runs, and the stored decisions."""

from typing import Annotated
from uuid import UUID

from services.visits.caseload import usecases as caseload
from services.visits.gate import queries, usecases
from services.visits.gate.schemas import (
    DecisionView,
    GateCheckBody,
    GateChecksView,
    GateCheckView,
    RuleCounts,
)
from services.visits.people import usecases as people
from shared.auth import Actor, Role, allow
from shared.errors import NotFound
from shared.law import Step, Verdict, earliest_lawful, shipped
from shared.web import Page, Paging, ReadTx, cursor_of, read_id, room

router = room("visits", tag="gate")
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]


@router.post("/gate-checks")
async def check(body: GateCheckBody, _actor: Reader, tx: ReadTx) -> GateChecksView:
    """What would the gate say? For at most 200 cases; nothing is stored or published."""
    cases = await caseload.lock_all(tx, body.case_ids)
    missing = [case_id for case_id in body.case_ids if case_id not in cases]
    if missing:
        raise NotFound("case-not-found", "There is no such case here.", case_id=str(missing[0]))
    team = await people.team_facts(tx, body.team_id) if body.team_id else None
    items = []
    for case_id in body.case_ids:
        facts = caseload.facts_of(cases[case_id], body.at or tx.now).model_copy(update={"collectors": team})
        earliest = earliest_lawful(shipped(), facts, after=facts.at, step=Step.PLAN)
        decision = usecases.judge(facts, body.step).to_json()
        items.append(GateCheckView(case_id=case_id, decision=decision, earliest_lawful_at=earliest.at))
    return GateChecksView(items=items)


@router.get("/decisions/counts")
async def count_decisions(_actor: Reader, tx: ReadTx) -> RuleCounts:
    """How often each rule warned or blocked, by step."""
    return RuleCounts(items=await queries.count_by_rule(tx))


@router.get("/decisions/{decision_id}")
async def get_decision(decision_id: UUID, _actor: Reader, tx: ReadTx) -> DecisionView:
    """A stored decision, whole: facts, every rule, verdict, reasons and sources."""
    return await queries.get_decision(tx, decision_id)


@router.get("/decisions")
async def list_decisions(
    _actor: Reader, tx: ReadTx, page: Paging, case_id: UUID | None = None, verdict: Verdict | None = None
) -> Page[DecisionView]:
    """Decisions in the order in which they were taken."""
    items = await queries.list_decisions(tx, case_id=case_id, verdict=verdict, after=read_id(page), limit=page.limit)
    return Page(items=items, next_cursor=cursor_of(str(items[-1].id)) if len(items) == page.limit else None)
