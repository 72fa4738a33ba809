"""Settings of the service visits."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from shared.settings import WEB_ADDRESS, Settings


class VisitsSettings(Settings):
    cases_url: str = Field("http://127.0.0.1:8080", pattern=WEB_ADDRESS, description="where the service cases answers")
    cases_timeout_seconds: float = Field(20.0, gt=0, description="how long a call to cases may take")
    required_certificate: str = Field(
        "FIELD-COLLECTION", description="certificate that every collector needs on a visit"
    )
    travel_speed_kmh: float = Field(20.0, gt=0, le=200, description="speed of teams where travel goes by the beeline")
    travel_speeds_kmh: dict[str, Annotated[float, Field(gt=0, le=200)]] = Field(
        {}, description='speeds by jurisdiction where they differ, such as {"us": 40, "us-ma": 30}'
    )
    osrm_url: str | None = Field(
        None, pattern=WEB_ADDRESS, description="an OSRM server of ours that knows travel times; none: the beeline"
    )
    osrm_timeout_seconds: float = Field(
        5.0, gt=0, description="seconds that OSRM may take; then the distance as the crow flies is used"
    )
    team_hour_costs: dict[str, Decimal] = Field(
        {
            "TWD": Decimal(1500),
            "CNY": Decimal(300),
            "USD": Decimal(80),
            "GBP": Decimal(60),
            "EUR": Decimal(70),
            "INR": Decimal(900),
        },
        description="what an hour of a team costs, by currency: it turns money at stake into seconds of travel",
    )
    no_contact_retry_days: int = Field(2, ge=1, description="days until a visit without contact is tried again")
