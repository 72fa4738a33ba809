"""Reads of followed cases."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.followup.caseload.schemas import FollowedCaseView, ReversalView
from services.followup.caseload.tables import CaseFactsRow, FollowedCaseRow, ReversalRow
from shared.bulk import rows_by_id
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.values import Amount
from shared.money import Money
from shared.outgoing import Cases

REVERSALS_SHOWN_MAX = 200


async def facts_of(tx: Transaction, case_id: UUID) -> CaseFactsRow:
    """Where a case is. Raises NotFound."""
    facts = await tx.session.get(CaseFactsRow, case_id)
    if facts is None:
        raise NotFound("case-not-found", "There is no such case here.")
    return facts


async def followed_case(tx: Transaction, case_id: UUID) -> FollowedCaseView:
    """A case with its newest reversals, at most 200. Raises NotFound."""
    facts = await facts_of(tx, case_id)
    reversals = await tx.session.scalars(
        select(ReversalRow)
        .where(col(ReversalRow.case_id) == case_id)
        .order_by(col(ReversalRow.received_on).desc(), col(ReversalRow.id).desc())
        .limit(REVERSALS_SHOWN_MAX)
    )
    return FollowedCaseView(
        case_id=facts.id, **facts.model_dump(exclude={"id", "lender_id"}), reversals=[_view(row) for row in reversals]
    )


def _view(row: ReversalRow) -> ReversalView:
    return ReversalView(
        reversal_id=row.id,
        amount=Amount.of(Money.of_minor(row.amount_minor, row.currency)),
        **row.model_dump(include=set(ReversalView.model_fields) - {"reversal_id", "amount"}),
    )


async def retention_classes(tx: Transaction, wanted: Sequence[Cases]) -> dict[Cases, str]:
    """The retention class of what happens to these cases, as the other services say."""
    rows = await rows_by_id(tx, FollowedCaseRow, col(FollowedCaseRow.id), {each for cases in wanted for each in cases})
    known = {cases: rows[cases[0]].retention for cases in wanted if cases[0] in rows}
    return {cases: found for cases, found in known.items() if found is not None}
