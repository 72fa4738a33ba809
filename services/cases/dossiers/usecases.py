"""Who may read a debtor's personal data now. A collector may for an open visit of the own team, on its day and the
evening before, as long as no hold stops it; the other readers may for their work. Each reading is recorded.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from services.cases.base import LAWBOOK
from services.cases.casefile import queries as casefile_queries
from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.consents import usecases as consents
from services.cases.consents.domain import is_in_force
from services.cases.consents.tables import ConsentRow
from services.cases.debtors import usecases as debtors
from services.cases.debtors.tables import AssignmentRow
from services.cases.holds import usecases as holds
from services.cases.holds.tables import HoldRow
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.law import Facts, HoldFacts, HoldReason, HoldScope, VisitPurpose, is_open_to_the_team


async def open_to(tx: Transaction, cases: Mapping[UUID, CaseRow], actor: Actor) -> set[UUID]:
    """Of these cases, those of which an actor may read personal data now."""
    collector = debtors.collector_of(actor)
    if collector is None:
        return set(cases)
    assigned = await debtors.assignments_of(tx, cases, collector)
    found = [row for row in assigned if row.window_start is not None]
    ids = {row.case_id for row in found}
    held, allowed = await holds.holds_since(tx, ids, tx.now), await consents.consents_of(tx, ids)
    promised = await casefile_queries.with_active_promise(tx, ids)
    law, readable = await LAWBOOK.law(tx), set()
    for row in found:
        case = cases[row.case_id]
        facts = _facts(tx, case, row, held.get(case.id, ()), allowed.get(case.id, ()), case.id in promised)
        day = row.window_start.astimezone(ZoneInfo(case.time_zone)).date() if row.window_start else None
        if day is not None and is_open_to_the_team(day, law.packs_of(facts), facts):
            readable.add(case.id)
    return readable


async def check_open_to(tx: Transaction, case_id: UUID, actor: Actor) -> None:
    """Raises NotFound where this actor may not read the case's personal data now."""
    if case_id not in await open_to(tx, await casefile.find_all(tx, [case_id], seen_by=actor), actor):
        raise NotFound(
            "case-not-found",
            "There is no such case here. A dossier is open to the team of an open visit, on its day and the evening"
            " before, unless the case is on hold.",
        )


def _facts(
    tx: Transaction,
    case: CaseRow,
    visit: AssignmentRow,
    held: Sequence[HoldRow],
    allowed: Sequence[ConsentRow],
    promised: bool,
) -> Facts:
    """What the rules about holds ask of a case now."""
    stopping = [HoldFacts(reason=HoldReason(row.reason), scope=HoldScope(row.scope)) for row in held]
    if promised:
        stopping.append(HoldFacts(reason=HoldReason.PROMISE_ACTIVE, scope=HoldScope.VISIT))
    return Facts(
        jurisdiction=case.jurisdiction,
        country=case.country,
        region=case.region,
        at=tx.now,
        time_zone=case.time_zone,
        product=case.product,
        purpose=VisitPurpose(visit.purpose or VisitPurpose.DEMAND),
        holds=tuple(stopping),
        consents={row.scope: str(row.id) for row in allowed if is_in_force(row, tx.now)},
    )
