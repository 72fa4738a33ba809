"""What a lender counts as late and as paid, where a promise does not say otherwise."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from shared.instalments import OnMissed
from shared.money import Money

GRACE_DAYS_MAX = 60


class GraceIn(StrEnum):
    """Which days of grace are counted: all, or working days at the debtor's place."""

    CALENDAR = "CALENDAR"
    WORKING = "WORKING"


@dataclass(frozen=True, slots=True)
class LenderTerms:
    """`tolerance`: the share that counts as paid in full. `may_lack`: an amount that may lack as well, in promises of
    its currency."""

    grace_days: int
    grace_in: GraceIn
    tolerance: Decimal
    may_lack: Money | None
    on_missed: OnMissed
