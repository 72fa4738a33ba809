"""What collectors' phones report, for the tests of this folder."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from services.visits.fieldday.missed import miss_due_visits
from shared.auth import Role
from tests.visits.conftest import DIGEST, MONDAY, System, taipei

NOT_MET = {"disposition": "NO_ANSWER", "person_met": "NONE"}
MET = {"disposition": "REFUSED_TO_PAY", "person_met": "DEBTOR"}
RECORDING = {"digest": DIGEST, "media_type": "video/mp4", "size_bytes": 9}


async def send(
    system: System, visit: UUID, report: str, body: dict[str, Any] | None = None, by: UUID | None = None
) -> httpx.Response:
    """A report of a collector; of a supervisor where none is named."""
    who = system.bearer(Role.COLLECTOR, subject=str(by)) if by else system.bearer(Role.SUPERVISOR)
    return await system.client.post(f"/visits/v1/visits/{visit}/{report}", json=body, headers=who)


def check_in(collector: UUID, at: datetime, **more: Any) -> dict[str, Any]:
    place = {"latitude": 25.03, "longitude": 121.56, "accuracy_m": 8}
    return {"collector_id": str(collector), "device_time": at.isoformat(), **place, **more}


async def arrive(
    system: System, visit: UUID, team: tuple[UUID, list[UUID]], at: datetime, **more: Any
) -> httpx.Response:
    """All collectors check in with their own phones. Returns the last answer."""
    for collector in team[1]:
        answer = await send(system, visit, "check-in", check_in(collector, at, **more), by=collector)
    return answer


async def sent(system: System, **case: Any) -> tuple[UUID, UUID, tuple[UUID, list[UUID]]]:
    """A case, its visit that was dispatched at ten on Monday, and the team."""
    case_id, team = await system.case(**case), await system.team()
    visit = await system.visit(case_id, team)
    await system.post(f"/visits/{visit}/dispatch")
    return case_id, visit, team


async def started(system: System) -> tuple[UUID, UUID, tuple[UUID, list[UUID]]]:
    """The same, after the check-in of both."""
    case_id, visit, team = await sent(system)
    assert (await arrive(system, visit, team, taipei(MONDAY, 10))).json()["status"] == "CHECKED_IN"
    return case_id, visit, team


async def end_day(system: System, now: datetime) -> list[int]:
    """The clock shows a later time, and the worker does what is due. Returns how much each run did."""
    await system.at(now)
    done = [await miss_due_visits(system.runtime)]
    while done[-1]:
        done.append(await miss_due_visits(system.runtime))
    return done


async def events(system: System, kind: str) -> list[dict[str, Any]]:
    """The data of published events of a short type."""
    return [
        httpx.Response(200, content=payload).json() for type, _, payload in await system.published() if type == kind
    ]
