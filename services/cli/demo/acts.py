"""What each person asks of Doorstep: push a file, plan a day, complete a visit.

An act is a generator. It yields requests, or seconds to wait, receives each answer and returns a value. It knows no
client, so the demo plays it with an asynchronous client and tests play it with theirs, as `httpx.Auth` does.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import httpx

# followup comes last: its timers act on the new time, and the others must know that time by then.
SERVICES = ("audit", "cases", "visits", "followup")
POLL_SECONDS = 0.02
WAIT_SECONDS_MAX = 300
POLLS_MAX = int(WAIT_SECONDS_MAX / POLL_SECONDS)
PAGE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `allowed`: the refusals that the act itself deals with."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    allowed: tuple[int, ...] = ()


class Unexpected(Exception):
    """An answer that the act does not deal with, or none in time."""


Result = TypeVar("Result")
Act: TypeAlias = Generator[Ask | float, Any, Result]


# -- anyone


def get(path: str, **query: Any) -> Act[Any]:
    """The document at a path; a query parameter that is None is left out."""
    answer = yield Ask("GET", path, {"params": {name: value for name, value in query.items() if value is not None}})
    return answer.json()


def post(path: str, body: Any = None, *, key: str | None = None, allowed: tuple[int, ...] = ()) -> Act[httpx.Response]:
    """The answer to a POST, sent under an Idempotency-Key if `key` is given."""
    headers = {"Idempotency-Key": key} if key else {}
    answer: httpx.Response = yield Ask("POST", path, {"json": body, "headers": headers}, allowed)
    return answer


def every(path: str, **query: Any) -> Act[list[Any]]:
    """All items of a list, page by page."""
    items: list[Any] = []
    cursor = None
    while True:
        page = yield from get(path, **query, limit=PAGE_ROWS, cursor=cursor)
        items += page["items"]
        cursor = page.get("next_cursor")
        if not cursor:
            return items


def finished(path: str, *, while_status: set[str]) -> Act[Any]:
    """The document at a path once its status is none of these."""
    for _ in range(POLLS_MAX):
        job = yield from get(path)
        if job["status"] not in while_status:
            return job
        yield POLL_SECONDS
    raise Unexpected(f"{path} did not finish within {WAIT_SECONDS_MAX} s")


# -- the operator (role admin)


def register_lender(
    lender_id: str, profile: Mapping[str, Any] | None = None, agency: Mapping[str, Any] | None = None, name: str = ""
) -> Act[None]:
    """Register a lender, or go on with one that is registered; set its feed profile, and record `agency` about us."""
    yield from post("/cases/v1/lenders", {"id": lender_id, "name": name or lender_id}, allowed=(409,))
    for what, document in (("profile", profile), ("agency", agency)):
        if document is not None:
            yield Ask("PUT", f"/cases/v1/lenders/{lender_id}/{what}", {"json": document})


def quiet(settle_seconds: float = 0.0) -> Act[None]:
    """Wait until all that is due is done: every service is quiet at two looks, and nothing happened in between."""
    before: list[int] = []
    for _ in range(POLLS_MAX):
        views = []
        for service in SERVICES:
            views.append((yield from get(f"/{service}/v1/clock")))
        counts = [view["consumed"] for view in views]
        if not all(view["quiet"] for view in views):
            before = []
            yield POLL_SECONDS
        elif counts == before:
            return
        else:
            before = counts
            yield settle_seconds
    busy = {service: view for service, view in zip(SERVICES, views, strict=True) if not view["quiet"]}
    raise Unexpected(f"the system did not become quiet within {WAIT_SECONDS_MAX} s: {busy}")


def move_clock(to: str, settle_seconds: float = 0.0) -> Act[None]:
    """Move the business time of all services, each as soon as it allows it; wait until what has become due is done."""
    for service in SERVICES:
        for _ in range(POLLS_MAX):
            answer = yield from post(f"/{service}/v1/clock", {"to": to}, allowed=(409,))
            if answer.status_code != 409:
                break
            yield POLL_SECONDS
        else:
            raise Unexpected(f"the clock of {service} did not move within {WAIT_SECONDS_MAX} s: {answer.text}")
    yield from quiet(settle_seconds)


# -- the lender


def push_file(content: bytes, media_type: str = "text/csv", **query: Any) -> Act[httpx.Response]:
    """Send a file of accounts. The answer's Location is its placement."""
    options = {"content": content, "headers": {"Content-Type": media_type}, "params": query}
    answer: httpx.Response = yield Ask("POST", "/cases/v1/placements", options)
    return answer


def taken_in(location: str) -> Act[Any]:
    """The placement at this address, once each of its rows is accepted or refused."""
    return (yield from finished(location, while_status={"RECEIVED", "PROCESSING"}))


def report_payments(lines: list[dict[str, Any]]) -> Act[list[Any]]:
    """Report payments. Returns what became of each."""
    answer = yield from post("/cases/v1/payments", {"payments": lines})
    items: list[Any] = answer.json()["items"]
    return items


# -- the supervisor

FIT_COLLECTOR: dict[str, Any] = {
    "name": "王大明",
    "status": "ACTIVE",
    "certificates": [{"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2027-06-01"}],
    "violent_crime_record": False,
    "bad_credit": False,
    "confidentiality_agreement": True,
    "last_assessed_on": "2025-11-01",
    "experience_recorded": True,
}


def form_team(name: str, *people: Mapping[str, Any]) -> Act[tuple[str, list[str]]]:
    """Register collectors, each FIT_COLLECTOR with these changes, and their team. Returns its id, and theirs."""
    ids = []
    for facts in people:
        ids.append((yield from post("/visits/v1/collectors", {**FIT_COLLECTOR, **facts})).json()["id"])
    team = yield from post("/visits/v1/teams", {"name": name, "collector_ids": ids})
    return team.json()["id"], ids


def verify_addresses(hazards: Mapping[str, bool], *, at: str) -> Act[Any]:
    """Record that the addresses of these cases are right, and whether each lies in a hazard zone."""
    checks = [
        {"case_id": case_id, "verified": True, "hazard": hazard, "method": "REGISTRY", "at": at}
        for case_id, hazard in hazards.items()
    ]
    return (yield from post("/cases/v1/address-verifications", {"verifications": checks})).json()


def plan_day(wish: Mapping[str, Any], *, replaces: str | None = None, key: str | None = None) -> Act[Any]:
    """Ask for a plan, in place of the plan `replaces` if it is named. Returns it once it is no longer a draft."""
    path = f"/visits/v1/day-plans/{replaces}/replan" if replaces else "/visits/v1/day-plans"
    answer = yield from post(path, wish, key=key)
    return (yield from planned(answer.json()["id"]))


def planned(plan_id: str) -> Act[Any]:
    """A plan once it is no longer a draft."""
    return (yield from finished(f"/visits/v1/day-plans/{plan_id}", while_status={"DRAFT"}))


def visits_of(plan: Mapping[str, Any], **query: Any) -> Act[list[Any]]:
    """The visits of a plan."""
    return (yield from every("/visits/v1/visits", plan_id=plan["id"], **query))


def dispatch(visit_id: str, *, allowed: tuple[int, ...] = ()) -> Act[httpx.Response]:
    """Send the team to the door."""
    return (yield from post(f"/visits/v1/visits/{visit_id}/dispatch", {}, allowed=allowed))


def place_hold(case_id: str, reason: str, review_on: str, scope: str = "all") -> Act[Any]:
    """Stop contact with a debtor until the hold is released."""
    hold = {"reason": reason, "scope": scope, "review_on": review_on}
    return (yield from post(f"/cases/v1/cases/{case_id}/holds", hold)).json()


# -- the collector


def arrival(collector_id: str, at: str, latitude: Any = 25.0, longitude: Any = 121.56, **more: Any) -> dict[str, Any]:
    """What a collector's phone reports at the door."""
    place = {"latitude": latitude, "longitude": longitude, "accuracy_m": 10}
    return {"collector_id": collector_id, "device_time": at, **place, **more}


def check_in(visit_id: str, report: Mapping[str, Any], *, allowed: tuple[int, ...] = ()) -> Act[httpx.Response]:
    """Report that one is at the door."""
    return (yield from post(f"/visits/v1/visits/{visit_id}/check-in", report, allowed=allowed))


def complete(visit_id: str, record: Mapping[str, Any], *, key: str | None = None) -> Act[Any]:
    """Write down what was said and done."""
    return (yield from post(f"/visits/v1/visits/{visit_id}/complete", record, key=key)).json()
