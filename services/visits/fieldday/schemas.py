"""Replies about a route that is sent."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class DispatchOutcome(StrEnum):
    """What became of a visit when its route was sent. OVER: it is completed, aborted, cancelled or missed."""

    DISPATCHED = "DISPATCHED"
    ALREADY_DISPATCHED = "ALREADY_DISPATCHED"
    REFUSED = "REFUSED"
    OVER = "OVER"


class DispatchedVisitView(BaseModel):
    """`problem`: why the visit was refused, as a single dispatch answers it: code, detail, and the rules."""

    visit_id: UUID
    case_id: UUID
    place_in_route: int
    outcome: DispatchOutcome
    status: str
    problem: dict[str, Any] | None = None


class RouteDispatchView(BaseModel):
    """The visits of a route in order, and how many of them were sent now, and refused."""

    plan_id: UUID
    team_id: UUID
    dispatched: int
    refused: int
    items: list[DispatchedVisitView]
