"""The bus of a service, for its admins: its state, parked events, running them again, rebuilding a projection."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, model_validator

from shared.auth import Actor, Role, allow
from shared.bodies import Body
from shared.bus import parking
from shared.bus.status import BusStatus
from shared.errors import NotFound
from shared.law import StatedMoment
from shared.runtime import Runtime
from shared.web.paging import Page, Paging
from shared.web.requests import DoorstepRoute, ReadTx, context_of

Operator = Annotated[Actor, allow(Role.ADMIN)]


class ParkedView(BaseModel):
    """An event that waits. `attempts` is 0 where it only waits behind an earlier one of its key."""

    event_id: UUID
    key: str = Field(description="the case, or what else the event is about")
    type: str
    topic: str
    attempts: int
    error: str = Field(description="what went wrong, by its kind; no data of the event")
    parked_at: datetime


class Replay(Body):
    """What to run again. Exactly one of these; events of a key always run in their order."""

    key: UUID | None = Field(None, description="the parked events of this key")
    event_id: UUID | None = Field(None, description="the parked events of this one's key, up to and with it")
    before: StatedMoment | None = Field(None, description="all keys that were parked before this time")
    everything: bool = Field(False, description="all parked events")

    @model_validator(mode="after")
    def _one_choice(self) -> "Replay":
        if sum((self.key is not None, self.event_id is not None, self.before is not None, self.everything)) != 1:
            raise ValueError("say exactly one of key, event_id, before, or everything: true")
        return self

    @property
    def choice(self) -> parking.Choice:
        return parking.Choice(self.key, self.event_id, self.before)


class ReplayedView(BaseModel):
    keys: list[str] = Field(description="the keys that were tried")
    cured: int = Field(description="events that were handled now")
    still_parked: int = Field(description="events of these keys that failed again, or wait behind such a one")
    released: int = Field(description="outbox rows that the relay tries again")


class RebuildProjection(Body):
    projection: str = Field(max_length=100, description="name of the projection, such as timeline")


class RebuiltView(BaseModel):
    projection: str
    events: int = Field(description="events that it was made from")
    rows: int = Field(description="rows that it has now")


def bus_router(runtime: Runtime) -> APIRouter:
    router = APIRouter(prefix=f"/{runtime.service.name}/v1/bus", tags=["operations"], route_class=DoorstepRoute)
    service = runtime.service

    @router.get("")
    async def read_bus(_actor: Operator, tx: ReadTx) -> BusStatus:
        """The service's state on the bus."""
        return await runtime.bus_status(tx)

    @router.get("/parked")
    async def list_parked(_actor: Operator, tx: ReadTx, page: Paging) -> Page[ParkedView]:
        """Parked events in the order in which they were put aside."""
        after = page.after(int) or 0
        found = page.of(
            await parking.waiting(tx, service.tables.bus, service.name, after=after, limit=page.fetch),
            key=lambda item: item.id,
        )
        items = [ParkedView.model_validate(item, from_attributes=True) for item in found.items]
        return Page(items=items, next_cursor=found.next_cursor)

    @router.post("/replay")
    async def replay(request: Request, body: Replay, _actor: Operator) -> ReplayedView:
        """Run parked events again. What fails once more stays parked. The trail keeps who did this."""
        done = await runtime.replay(body.choice, context_of(request))
        return ReplayedView.model_validate(done, from_attributes=True)

    @router.post("/rebuild")
    async def rebuild(request: Request, body: RebuildProjection, _actor: Operator) -> RebuiltView:
        """Rebuild a projection from all events; it replaces the old one. The trail records who did this."""
        for projection in service.projections:
            if projection.name == body.projection:
                done = await runtime.rebuild(projection).run(context_of(request))
                return RebuiltView(projection=projection.name, events=done.events, rows=done.rows)
        there = ", ".join(projection.name for projection in service.projections) or "none"
        raise NotFound("no-such-projection", f"{service.name} has no such projection. There is: {there}.")

    return router
