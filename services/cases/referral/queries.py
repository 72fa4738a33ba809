"""Reads of referrals."""

from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.cases.referral.schemas import ReferralCount, ReferralView
from services.cases.referral.tables import ReferralRow
from shared.database import Transaction
from shared.listing import page_of


async def count_by_rule(tx: Transaction) -> list[ReferralCount]:
    rows = await tx.session.execute(
        select(col(ReferralRow.rule_id), func.count().label("count"))
        .group_by(col(ReferralRow.rule_id))
        .order_by(col(ReferralRow.rule_id))
    )
    return [ReferralCount(rule_id=rule_id, count=count) for rule_id, count in rows.all()]


async def list_referrals(tx: Transaction, case_id: UUID, *, after: UUID | None, limit: int) -> list[ReferralView]:
    """Referrals of a case in the order in which they were made."""
    statement = select(ReferralRow).where(col(ReferralRow.case_id) == case_id)
    statement = page_of(statement, col(ReferralRow.id), after=after, limit=limit)
    rows = await tx.session.scalars(statement)
    return [ReferralView.model_validate(row.model_dump()) for row in rows]
