"""Bodies and replies about a lender's terms of promises."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from services.followup.lenders.domain import GRACE_DAYS_MAX, GraceIn
from shared.bodies import AmountBody, Body
from shared.events.values import Amount, WireDecimal
from shared.instalments import OnMissed
from shared.money import NotMoney


def _money_above_zero(value: AmountBody | None) -> AmountBody | None:
    try:
        if value is not None and value.money.minor <= 0:
            raise ValueError("this is an amount above 0: leave it out where nothing may lack")
    except NotMoney as error:
        raise ValueError(f"the amount is {error}") from None
    return value


class LenderTermsBody(Body):
    """`grace_days` after a due day, counted in `grace_in`. `tolerance`: the share of what was due that counts as all of
    it; `may_lack`: an amount that may lack as well, in promises of its currency. `on_missed`: whether a missed
    instalment ends an arrangement."""

    grace_days: Annotated[int, Field(ge=0, le=GRACE_DAYS_MAX)]
    grace_in: GraceIn = GraceIn.CALENDAR
    tolerance: Annotated[Decimal, Field(gt=0, le=1, max_digits=6, decimal_places=5)]
    may_lack: Annotated[AmountBody | None, AfterValidator(_money_above_zero)] = None
    on_missed: OnMissed = OnMissed.END


class LenderTermsView(BaseModel):
    """`version` is 0 as long as the lender has recorded nothing: then the house's terms hold."""

    lender_id: str
    grace_days: int
    grace_in: GraceIn
    tolerance: WireDecimal
    may_lack: Amount | None
    on_missed: OnMissed
    version: int
