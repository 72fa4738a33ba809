"""Reads of referrals."""

from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from services.cases.referral.schemas import ReferralCount, ReferralView
from services.cases.referral.tables import ReferralRow
from shared.database import Transaction


async def count_by_rule(tx: Transaction) -> list[ReferralCount]:
    rows = await tx.session.execute(
        select(col(ReferralRow.rule_id), func.count().label("count"))
        .group_by(col(ReferralRow.rule_id))
        .order_by(col(ReferralRow.rule_id))
    )
    return [ReferralCount(rule_id=rule_id, count=count) for rule_id, count in rows.all()]


async def referrals_of(tx: Transaction, case_id: UUID) -> list[ReferralView]:
    rows = await tx.session.scalars(
        select(ReferralRow).where(col(ReferralRow.case_id) == case_id).order_by(col(ReferralRow.id))
    )
    return [
        ReferralView(rule_id=row.rule_id, rule_version=row.rule_version, inputs=row.inputs, referred_at=row.referred_at)
        for row in rows
    ]
