"""The worker's timer that deletes what old plans were made from. A table of travel times cannot be divided by debtor:
so it goes as a whole, before a debtor's own data have to."""

from sqlalchemy import Select, delete, select
from sqlmodel import col

from services.visits.plans import domain
from services.visits.plans.plan_basis import subject_of
from services.visits.plans.tables import DayPlanRow, PlanBasisRow
from services.visits.plans.usecases import note_revision
from shared.database import Transaction
from shared.due import in_pages

PLANS_AT_ONCE = 50


async def _is_any_due(tx: Transaction) -> bool:
    return (await tx.session.scalars(_due(tx).limit(1))).first() is not None


async def _delete_page(tx: Transaction) -> int:
    """Delete the bases of one page of plans, with their keys. Returns how many."""
    plans = (await tx.session.scalars(_due(tx).limit(PLANS_AT_ONCE).with_for_update(of=DayPlanRow))).all()
    for plan in plans:
        await _delete_basis(tx, plan)
    return len(plans)


delete_old_bases = in_pages(_is_any_due, _delete_page)


def _due(tx: Transaction) -> Select[DayPlanRow]:
    return (
        select(DayPlanRow)
        .join(PlanBasisRow, col(PlanBasisRow.plan_id) == col(DayPlanRow.id))
        .where(
            col(DayPlanRow.day) <= domain.last_day_without_basis(tx.now),
            # Another worker may delete it while this one waits for the plan.
            col(DayPlanRow.basis_deleted_at).is_(None),
        )
        .order_by(col(DayPlanRow.id))
    )


async def _delete_basis(tx: Transaction, plan: DayPlanRow) -> None:
    await tx.session.execute(delete(PlanBasisRow).where(col(PlanBasisRow.plan_id) == plan.id))
    await tx.vault.forget(subject_of(plan.id))
    plan.basis_deleted_at = tx.now
    note_revision(tx, plan, "basis-deleted", str(tx.context.actor), domain.Changes())
