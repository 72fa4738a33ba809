"""Open visits when people change: a planned visit goes on with those who are on duty. One for which fewer than two are
left is cancelled, so that its case is wanted again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload import usecases as caseload
from services.visits.people.domain import can_go
from services.visits.visit import domain, usecases
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.law import Disposition

OFF_DUTY = "off_duty"


@dataclass(slots=True)
class Restaffed:
    """What became of open visits."""

    wanted_again: list[VisitRow] = field(default_factory=list)
    restaffed: list[VisitRow] = field(default_factory=list)
    under_way: list[VisitRow] = field(default_factory=list)

    def views(self) -> dict[str, list[dict[str, object]]]:
        return {name: [_view(visit) for visit in getattr(self, name)] for name in self.__slots__}


def _view(visit: VisitRow) -> dict[str, object]:
    return visit.model_dump(include={"case_id", "plan_id", "team_id", "day", "status"}) | {"visit_id": visit.id}


async def lock_open_visits(tx: Transaction, team_ids: Sequence[UUID]) -> Sequence[VisitRow]:
    """The open visits of these teams, locked in the order of their ids."""
    rows = await tx.session.scalars(
        select(VisitRow)
        .where(col(VisitRow.team_id).in_(team_ids), col(VisitRow.status).in_(domain.OPEN))
        .order_by(col(VisitRow.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def restaff(tx: Transaction, visits: Sequence[VisitRow], crews: Mapping[UUID, Sequence[UUID]]) -> Restaffed:
    """Give planned visits, locked, the collectors who are to go. Visits that a team was sent to stay as they are."""
    became = Restaffed()
    cases = await caseload.lock_all(tx, sorted({visit.case_id for visit in visits}))
    for visit in visits:
        crew = crews[visit.id]
        if visit.status != VisitStatus.PLANNED:
            became.under_way.append(visit)
        elif not can_go(crew):
            visit.record = {OFF_DUTY: [str(each) for each in visit.team if each not in crew]}
            await usecases.cancel(tx, visit, cases[visit.case_id], Disposition.COLLECTOR_UNAVAILABLE)
            became.wanted_again.append(visit)
        elif list(crew) != visit.team:
            visit.collector_ids = list(map(str, crew))
            usecases.publish_planned(tx, visit)
            became.restaffed.append(visit)
    return became


def is_freed(visit: VisitRow) -> bool:
    """Whether it was cancelled since too few of its collectors are on duty, and not by hand."""
    return OFF_DUTY in visit.record
