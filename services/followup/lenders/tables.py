"""The terms of promises that each lender has recorded."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field

from services.followup.base import FollowupTable
from services.followup.lenders.domain import GraceIn, LenderTerms
from shared.instalments import OnMissed
from shared.money import Money
from shared.tenants import owned


class LenderTermsRow(FollowupTable, table=True):
    """`version` counts the changes. Promises keep the terms with which they were made."""

    __tablename__ = "lender_terms"
    __table_args__ = owned(tenant="lender_id")

    lender_id: str = Field(primary_key=True)
    id: UUID
    grace_days: int
    grace_in: str
    tolerance: str
    may_lack_minor: int | None = Field(default=None, sa_type=BigInteger)
    may_lack_currency: str | None = None
    on_missed: str
    version: int = Field(default=0, sa_type=BigInteger)

    @property
    def terms(self) -> LenderTerms:
        """The terms as the domain knows them."""
        lacks = self.may_lack_minor is not None and self.may_lack_currency is not None
        return LenderTerms(
            grace_days=self.grace_days,
            grace_in=GraceIn(self.grace_in),
            tolerance=Decimal(self.tolerance),
            may_lack=Money.of_minor(self.may_lack_minor or 0, self.may_lack_currency or "") if lacks else None,
            on_missed=OnMissed(self.on_missed),
        )
