"""A whole Doorstep as a process of its own, driven over HTTP as its users drive it. Each lender that a test makes is
new, so tests share a house without meeting each other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from deploy.dev.processes import free_port
from services.cli.processes import development_token
from shared.auth import Role
from shared.ids import new_id
from shared.settings import Settings

TAIPEI = ZoneInfo("Asia/Taipei")
MONDAY = date(2026, 3, 2)
SERVICES = ("audit", "cases", "visits", "followup")
SIGNED_SECONDS = 0.3  # a log is signed at most every 200 ms: what is quiet for longer stands under a checkpoint
PATIENCE_SECONDS = 60
DIGEST = "5a" * 32
AGENCY = {"reviewed_on": "2026-01-15", "listed": True}
PROFILE: dict[str, Any] = {
    "columns": {
        "account_ref": "account",
        "balance": "balance",
        "currency": "currency",
        "days_past_due": "days",
        "last_payment_on": "paid",
        "name": "name",
        "phone": "phone",
        "latitude": "lat",
        "longitude": "lon",
    },
    "currency": "TWD",
    "time_zone": "Asia/Taipei",
    "jurisdiction": "tw",
    "country": "TW",
    "product": "CREDIT_CARD",
    "notice": {"channel": "LETTER", "sent_at": "2026-02-10T10:00:00+08:00", "proof_digest": DIGEST},
}
HEADER = "account,balance,currency,days,paid,name,phone,lat,lon"


def at(day: date, hour: int, minute: int = 0) -> str:
    """A time in Taipei, as on the wire."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=TAIPEI).isoformat()


def row(account: str, balance: object = 250_000, days: object = 60, **cells: str) -> str:
    """A line of a lender's file. As it stands, its case is referred to the field at once: the balance is large."""
    known = {"currency": "TWD", "paid": "2026-01-15", "name": "王小明", "phone": "", "lat": "25.03", "lon": "121.56"}
    rest = known | cells
    return ",".join([account, str(balance), rest.pop("currency"), str(days), *rest.values()])


def file_of(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


@dataclass(slots=True)
class Caller:
    """Somebody with a token. An answer of another status than `expect` fails the test with its text."""

    client: httpx.Client
    headers: dict[str, str]

    def ask(self, method: str, path: str, expect: int = 200, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        answer = self.client.request(method, path, headers=headers, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        return self.ask("GET", path, expect, params=query).json()

    def post(self, path: str, body: Any = None, expect: int = 200, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", path, expect, json=body, headers=headers).json()

    def every(self, path: str, **query: Any) -> list[Any]:
        """All items of a list, page by page."""
        items, cursor = [], None
        while True:
            page = self.get(path, **query, limit=200, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items


@dataclass(slots=True)
class Lender:
    """A lender of its own, with its token."""

    id: str
    caller: Caller

    def send(self, content: bytes, media_type: str = "text/csv", expect: int = 202, **query: Any) -> httpx.Response:
        headers = {"Content-Type": media_type}
        path = "/cases/v1/placements"
        return self.caller.ask("POST", path, expect, content=content, headers=headers, params=query)

    def finished(self, location: str) -> dict[str, Any]:
        """Poll a placement until it is through."""
        for _ in range(PATIENCE_SECONDS * 20):
            placement: dict[str, Any] = self.caller.get(location)
            if placement["status"] in ("DONE", "REFUSED"):
                return placement
            time.sleep(0.05)
        raise AssertionError(f"{location} did not finish")

    def place(self, *rows: str) -> dict[str, Any]:
        """Send a file of such rows and wait until it has been taken in."""
        return self.finished(self.send(file_of(*rows)).headers["Location"])

    def cases(self) -> dict[str, Any]:
        """The lender's cases by account."""
        return {case["accounts"][0]["account_ref"]: case for case in self.caller.every("/cases/v1/cases")}


@dataclass(slots=True)
class Team:
    id: str
    collector_ids: list[str]
    collectors: list[Caller]


@dataclass(slots=True)
class House:
    """A running embedded system."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]
    client: httpx.Client

    def token(self, role: Role, *, subject: str | None = None, lender: str = "") -> str:
        return development_token(Settings(data_dir=self.data), role, subject=subject, lender=lender)

    def caller(self, role: Role, *, subject: str | None = None, lender: str = "") -> Caller:
        return self.bearing(self.token(role, subject=subject, lender=lender))

    def bearing(self, token: str) -> Caller:
        return Caller(self.client, {"Authorization": f"Bearer {token}"})

    @property
    def admin(self) -> Caller:
        return self.caller(Role.ADMIN)

    @property
    def supervisor(self) -> Caller:
        return self.caller(Role.SUPERVISOR)

    @property
    def officer(self) -> Caller:
        return self.caller(Role.COMPLIANCE)

    def lender(self, *, agency: dict[str, Any] | None = AGENCY, **profile: Any) -> Lender:
        """A new lender whose files are read by PROFILE, changed by `profile`, that has recorded `agency` about us. A
        field that is None is left out."""
        lender_id = f"lender-{new_id().hex[-12:]}"
        self.admin.post("/cases/v1/lenders", {"id": lender_id, "name": lender_id}, expect=201)
        document = {name: value for name, value in (PROFILE | profile).items() if value is not None}
        self.admin.ask("PUT", f"/cases/v1/lenders/{lender_id}/profile", json=document)
        if agency is not None:
            self.admin.ask("PUT", f"/cases/v1/lenders/{lender_id}/agency", json=agency)
        return Lender(lender_id, self.caller(Role.LENDER, lender=lender_id))

    def team(self, **facts: Any) -> Team:
        """Two collectors who may be sent, unless `facts` say otherwise of the second."""
        ids = []
        for more in ({}, facts):
            sound = {
                "name": "王大明",
                "status": "ACTIVE",
                "certificates": [{"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2027-06-01"}],
                "violent_crime_record": False,
                "bad_credit": False,
                "confidentiality_agreement": True,
                "last_assessed_on": "2025-11-01",
                "experience_recorded": True,
            }
            ids.append(self.supervisor.post("/visits/v1/collectors", sound | more, expect=201)["id"])
        body = {"name": f"Team {new_id().hex[-6:]}", "collector_ids": ids}
        team_id = self.supervisor.post("/visits/v1/teams", body, expect=201)["id"]
        return Team(team_id, ids, [self.caller(Role.COLLECTOR, subject=each) for each in ids])

    def verify_addresses(self, cases: list[dict[str, Any]]) -> None:
        day = MONDAY - timedelta(days=3)
        checks = [
            {"case_id": case["id"], "verified": True, "hazard": False, "method": "REGISTRY", "at": at(day, 11)}
            for case in cases
        ]
        self.supervisor.post("/cases/v1/address-verifications", {"verifications": checks})

    def plan(self, day: date, team: Team) -> dict[str, Any]:
        """Plan a day for one team and wait for the plan."""
        asked = self.supervisor.post("/visits/v1/day-plans", {"day": str(day), "team_ids": [team.id]}, expect=202)
        for _ in range(PATIENCE_SECONDS * 20):
            plan: dict[str, Any] = self.supervisor.get(f"/visits/v1/day-plans/{asked['id']}")
            if plan["status"] != "DRAFT":
                return plan
            time.sleep(0.05)
        raise AssertionError("the plan was not made")

    def visits_of(self, plan: dict[str, Any]) -> list[dict[str, Any]]:
        return self.supervisor.every("/visits/v1/visits", plan_id=plan["id"])

    def quiet(self) -> None:
        """Wait until all services have done all that is due, and nothing happened in between two looks."""
        before: list[int] = []
        for _ in range(PATIENCE_SECONDS * 50):
            views = [self.admin.get(f"/{service}/v1/clock") for service in SERVICES]
            counts = [view["consumed"] for view in views]
            if all(view["quiet"] for view in views):
                if counts == before:
                    return
                before = counts
                time.sleep(SIGNED_SECONDS)
            else:
                before = []
                time.sleep(0.02)
        raise AssertionError(f"the system did not become quiet: {views}")

    def move_clock(self, to: str) -> None:
        self.quiet()
        for service in SERVICES:
            self.admin.post(f"/{service}/v1/clock", {"to": to})
        self.quiet()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.wait()
        self.client.close()


def check_in(team: Team, number: int = 0, **changes: Any) -> dict[str, Any]:
    """What a collector's phone says at the address, at ten on Monday."""
    sound = {
        "collector_id": team.collector_ids[number],
        "device_time": at(MONDAY, 10),
        "latitude": 25.0,
        "longitude": 121.56,
        "accuracy_m": 10,
    }
    return sound | changes


RECORD: dict[str, Any] = {
    "ended_at": at(MONDAY, 10),
    "disposition": "PROMISE_TO_PAY",
    "person_met": "DEBTOR",
    "willingness": 4,
    "ability": 3,
    "statement": "下週還一半。",
    "credentials_shown": True,
    "authority_shown": True,
    "evidence": [{"digest": DIGEST, "media_type": "video/mp4", "size_bytes": 1000}],
    "promise": {
        "instalments": [{"due_on": str(MONDAY + timedelta(days=7)), "amount": {"amount": "50000", "currency": "TWD"}}]
    },
}


def arrive(house: House, team: Team, visit: dict[str, Any]) -> str:
    """Send the team and let both check in. Returns the visit's address."""
    path = f"/visits/v1/visits/{visit['id']}"
    house.supervisor.post(f"{path}/dispatch")
    for number, collector in enumerate(team.collectors):
        collector.post(f"{path}/check-in", check_in(team, number))
    return path


def doorstep(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from services.cli.main import main; main()", *arguments]


def start_house(data: Path, clock: str | None = None, answers: str = "/health/ready", **settings: str) -> House:
    """`doorstep up` on a free port, with these environment variables; it is there when this address answers 200."""
    port = free_port()
    arguments = ["up", "--port", str(port), "--data", str(data), "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
    environment |= settings
    data.mkdir(parents=True, exist_ok=True)
    with (data / "up.log").open("ab") as log:
        command = doorstep(*arguments, *(["--clock", clock] if clock else []))
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    for _ in range(PATIENCE_SECONDS * 20):
        try:
            if client.get(answers).status_code == 200:
                return House(str(client.base_url), data, process, client)
        except httpx.TransportError:
            if process.poll() is not None:
                break
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"the house did not start:\n{(data / 'up.log').read_text()[-3000:]}")


@contextmanager
def running_house(data: Path, clock: str | None = None, **settings: str) -> Iterator[House]:
    house = start_house(data, clock, **settings)
    try:
        yield house
    finally:
        house.client.close()
        house.process.send_signal(signal.SIGTERM)
        house.process.wait(timeout=PATIENCE_SECONDS)
