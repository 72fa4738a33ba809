"""Planned visits of a case that is not to be visited any more."""

from sqlalchemy import select
from sqlmodel import col

from services.visits.caseload.tables import CaseloadRow
from services.visits.visit import usecases
from services.visits.visit.domain import VisitStatus
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.law import Disposition

WITHDRAWN = "withdrawn"


async def withdraw_planned(tx: Transaction, case: CaseloadRow, reason: Disposition) -> None:
    """Cancel the planned visits of a case that is locked. A visit that another transaction changes at this moment is
    passed over, since that one may wait for the case: its next step is refused."""
    visits = await tx.session.scalars(
        select(VisitRow)
        .where(col(VisitRow.case_id) == case.id, col(VisitRow.status) == VisitStatus.PLANNED)
        .order_by(col(VisitRow.id))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    for visit in visits.all():
        visit.record = {WITHDRAWN: reason}
        await usecases.cancel(tx, visit, case, reason)


def is_withdrawn(visit: VisitRow) -> bool:
    """Whether it was cancelled since its case was not to be visited any more, and not by hand."""
    return WITHDRAWN in visit.record
