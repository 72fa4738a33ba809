"""What keeps an open visit from going on, as it is known now: a hold of its case, a collector who is off duty. Nothing
is stored, so that a mark is there, and gone, as soon as the fact is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.visits.base import LAWBOOK
from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.people import teams
from services.visits.visit import domain
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.law import HoldScope, VisitPurpose, is_stopped_by_a_hold


@dataclass(frozen=True, slots=True)
class Marks:
    """`held` maps a visit that a hold stops to the reasons; `off_duty` are collectors of these visits."""

    held: Mapping[UUID, list[str]] = field(default_factory=dict)
    off_duty: frozenset[UUID] = frozenset()


async def marks_of(tx: Transaction, visits: Iterable[VisitRow]) -> Marks:
    """The marks of those of these visits that have not begun."""
    waiting = [visit for visit in visits if visit.status in domain.NOT_STARTED]
    if not waiting:
        return Marks()
    by_case = await held_cases(tx, {visit.case_id: VisitPurpose(visit.purpose) for visit in waiting})
    off = await teams.off_duty(tx, {each for visit in waiting for each in visit.team}, tx.now)
    held = {visit.id: by_case[visit.case_id] for visit in waiting if visit.case_id in by_case}
    return Marks(held, frozenset(each.collector_id for each in off))


async def held_cases(tx: Transaction, purposes: Mapping[UUID, VisitPurpose | None]) -> dict[UUID, list[str]]:
    """The cases of which a hold stops a visit now, with the reasons of their holds. `purposes`: what each visit is for;
    None: what the case wants one for."""
    rows = await caseload.find_all(tx, list(purposes))
    cases = {case_id: case for case_id, case in rows.items() if case.holds or case.active_promises}
    if not cases:
        return {}
    law, found = await LAWBOOK.law(tx), {}
    for case_id, case in cases.items():
        facts = facts_of(case, tx.now, None)
        if purpose := purposes[case_id]:
            facts = facts.model_copy(update={"purpose": purpose})
        reasons = sorted({each.reason for each in facts.holds if each.scope is not HoldScope.CALL})
        if reasons and is_stopped_by_a_hold(law.packs_of(facts), facts):
            found[case_id] = list(map(str, reasons))
    return found
