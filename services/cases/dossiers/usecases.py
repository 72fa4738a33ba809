"""Who may read a debtor's personal data now. A collector on duty may for an open visit of the own team, on its day and
the evening before, as long as no hold stops it; the other readers may for their work. Each reading is recorded.
"""

from collections.abc import Mapping
from uuid import UUID
from zoneinfo import ZoneInfo

from services.cases.base import LAWBOOK
from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.debtors import usecases as debtors
from services.cases.dossiers.records import records_of
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Forbidden, NotFound
from shared.law import Act, VisitPurpose, facts_of_case, is_open_to_the_team


async def open_to(tx: Transaction, cases: Mapping[UUID, CaseRow], actor: Actor) -> set[UUID]:
    """Of these cases, those of which an actor may read personal data now."""
    collector = debtors.collector_of(actor)
    if collector is None:
        return set(cases)
    assigned = await debtors.assignments_of(tx, cases, collector)
    found = [row for row in assigned if row.window_start is not None]
    if not found or await debtors.is_off_duty(tx, found[0].collector_id):
        return set()
    records = await records_of(tx, {row.case_id: cases[row.case_id] for row in found}, since=tx.now)
    law, readable = await LAWBOOK.law(tx), set()
    for row in found:
        case = cases[row.case_id]
        act = Act(at=tx.now, purpose=VisitPurpose(row.purpose or VisitPurpose.DEMAND))
        facts = facts_of_case(case, records.of_case[case.id], act)
        day = row.window_start.astimezone(ZoneInfo(case.time_zone)).date() if row.window_start else None
        if day is not None and is_open_to_the_team(day, law.packs_of(facts), facts):
            readable.add(case.id)
    return readable


def check_reason(actor: Actor, reason: str) -> None:
    """A caller reads for a call, also for one that comes in while contact is on hold. Raises Forbidden."""
    if actor.by_phone_only and reason != "CALL":
        raise Forbidden("not-by-phone", "`reason` must be CALL for a caller.")


async def check_open_to(tx: Transaction, case_id: UUID, actor: Actor) -> None:
    """Raises NotFound where this actor may not read the case's personal data now."""
    if case_id not in await open_to(tx, await casefile.find_all(tx, [case_id]), actor):
        raise NotFound(
            "case-not-found",
            "There is no such case here. A dossier is open to the team of an open visit, on its day and the evening"
            " before, unless the case is on hold or the collector is off duty.",
        )
