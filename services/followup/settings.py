"""Settings of the service followup."""

from decimal import Decimal

from pydantic import Field

from shared.settings import Settings


class FollowupSettings(Settings):
    grace_days: int = Field(
        2, ge=0, le=60, description="calendar days after the due date before a promise counts as broken"
    )
    tolerance: Decimal = Field(
        Decimal("0.95"), gt=0, le=1, description="share of the promised amount that counts as paid in full"
    )
