"""What a visit is worth, in seconds of a team's travel, and why: money at risk × chance that a visit brings it in ×
the strategy's weight, measured by what an hour of a team costs. An appointment or a promised visit outranks all money.
"""

from dataclasses import dataclass
from decimal import Decimal

from services.visits.routing.day import MONEY_SECONDS_MAX
from shared.law import VisitPurpose
from shared.money import Money

APPOINTMENT_SECONDS = 10 * 86_400
URGENT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Segment:
    """What the chance depends on."""

    days_past_due: int
    purpose: VisitPurpose
    product: str = ""


class TableOfChances:
    """By the age of the debt: what is fresh is paid sooner. An estimate of the house, to be replaced by what is
    measured; a debtor who promised or asked for the visit pays twice as often."""

    UNTIL_DAYS = (
        (30, Decimal("0.06")),
        (60, Decimal("0.05")),
        (90, Decimal("0.04")),
        (120, Decimal("0.03")),
        (150, Decimal("0.025")),
        (180, Decimal("0.02")),
    )
    LATER = Decimal("0.015")

    def of(self, segment: Segment) -> Decimal:
        """The share of the money at risk that a visit is expected to bring in, 0 to 1."""
        chance = next((share for days, share in self.UNTIL_DAYS if segment.days_past_due <= days), self.LATER)
        return chance * (1 if segment.purpose is VisitPurpose.DEMAND else 2)


@dataclass(frozen=True, slots=True)
class Prize:
    """Seconds of travel that a visit is worth, with what they were reckoned from."""

    seconds: int
    stake: Money
    chance: Decimal
    weight: Decimal
    outranks: str | None = None

    def to_json(self) -> dict[str, str | int | None]:
        """As it is stored and shown beside the visit."""
        return {
            "seconds": self.seconds,
            "stake": str(self.stake.amount),
            "currency": self.stake.currency,
            "chance": str(self.chance),
            "weight": str(self.weight),
            "outranks": self.outranks,
        }


def prize_of(
    stake: Money,
    segment: Segment,
    *,
    chances: TableOfChances,
    team_hour: Money,
    weight: Decimal = Decimal(1),
    urgent: bool = False,
) -> Prize:
    """The prize of a visit. `team_hour` is what an hour of a team costs, in the stake's currency."""
    chance = chances.of(segment)
    by_money = int(stake.amount * chance * weight * 3600 / team_hour.amount)
    seconds, outranks = min(by_money, MONEY_SECONDS_MAX), None
    if urgent:
        seconds, outranks = seconds + URGENT_SECONDS, "urgent"
    if segment.purpose is VisitPurpose.AGREED_REVISIT:
        seconds, outranks = seconds + APPOINTMENT_SECONDS, "appointment"
    return Prize(seconds, stake, chance, weight, outranks)
