"""Routes of the gate: dry runs, lawful windows, grounds, and the stored decisions."""

from typing import Annotated
from uuid import UUID

from fastapi import Request

from services.visits.gate import dryrun, queries, usecases
from services.visits.gate.schemas import (
    DecisionView,
    GateCheckBody,
    GateChecksView,
    GroundBody,
    GroundView,
    LawfulWindowsBody,
    LawfulWindowsView,
    ReplayView,
    RuleCounts,
)
from services.visits.settings import VisitsSettings
from shared.auth import Actor, Role, allow
from shared.law import StatedMoment, Step, Verdict
from shared.web import Page, Paging, ReadTx, Tx, room

router = room("visits", tag="gate")
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]
Supervisor = Annotated[Actor, allow(Role.SUPERVISOR)]


@router.post("/gate-checks")
async def check(body: GateCheckBody, _actor: Reader, tx: ReadTx, request: Request) -> GateChecksView:
    """What would the gate say? For at most 200 cases, with the earliest lawful time and the rule that makes it so;
    nothing is stored or published. CALL, LETTER and INTAKE are answered by the service cases: 422 `judged-by-cases`."""
    settings = VisitsSettings.of(request.app.state.runtime.settings)
    return GateChecksView(items=await dryrun.check(tx, body, settings))


@router.post("/lawful-windows")
async def list_windows(body: LawfulWindowsBody, _actor: Reader, tx: ReadTx) -> LawfulWindowsView:
    """When, on one local day, may these cases be visited? For at most 200 cases."""
    return LawfulWindowsView(items=await dryrun.windows(tx, body))


@router.post("/grounds", status_code=201)
async def record_ground(body: GroundBody, actor: Supervisor, tx: Tx) -> GroundView:
    """Record a ground, other than a consent, on which a rule can be lifted, such as a safety plan."""
    return queries.ground_view(await usecases.record_ground(tx, body, actor=actor))


@router.get("/grounds")
async def list_grounds(case_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[GroundView]:
    """The grounds of a case."""
    items = await queries.list_grounds(tx, case_id, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)


@router.get("/decisions/counts")
async def count_decisions(
    _actor: Reader, tx: ReadTx, since: StatedMoment | None = None, until: StatedMoment | None = None
) -> RuleCounts:
    """How many decisions were taken from `since` on and before `until`, and how often each rule warned or blocked."""
    return await queries.count(tx, since=since, until=until)


@router.get("/decisions/{decision_id}")
async def get_decision(decision_id: UUID, _actor: Reader, tx: ReadTx) -> DecisionView:
    """A stored decision, whole: facts, every rule, verdict, reasons and sources."""
    return await queries.get_decision(tx, decision_id)


@router.post("/decisions/{decision_id}/replay")
async def replay(decision_id: UUID, _actor: Reader, tx: ReadTx) -> ReplayView:
    """Run a stored decision again, on its own facts, by its own versions of the packs."""
    return await queries.replay(tx, decision_id)


@router.get("/decisions")
async def list_decisions(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    case_id: UUID | None = None,
    step: Step | None = None,
    verdict: Verdict | None = None,
) -> Page[DecisionView]:
    """Decisions in the order in which they were taken."""
    wanted = queries.DecisionFilter(case_id, step, verdict)
    items = await queries.list_decisions(tx, wanted, after=page.after(UUID), limit=page.fetch)
    return page.of(items, key=lambda item: item.id)
