"""A whole Doorstep as a process of its own, driven over HTTP as its users drive it. Each lender that a test makes is
new, so tests share a house without meeting each other."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.dev.processes import free_port
from services.cli.demo import acts
from services.cli.demo.systems import doorstep
from services.cli.processes import development_token
from shared.auth import Role
from shared.ids import new_id
from shared.settings import Settings
from tests.actors.people import Caller, Lender, Team, check_in
from tests.actors.samples import AGENCY, MONDAY, at, profile

SIGNED_SECONDS = 0.3  # a log is signed at most every 200 ms: what is quiet for longer stands under a checkpoint
PATIENCE_SECONDS = 60


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

    def lender(self, *, agency: dict[str, Any] | None = AGENCY, **changes: Any) -> Lender:
        """A new lender whose files are read by PROFILE with these changes, that has recorded `agency` about us."""
        lender_id = f"lender-{new_id().hex[-12:]}"
        self.admin.does(acts.register_lender(lender_id, profile(**changes), agency))
        return Lender(lender_id, self.caller(Role.LENDER, lender=lender_id))

    def team(self, **facts: Any) -> Team:
        """Two collectors who may be sent, unless `facts` say otherwise of the second."""
        team_id, ids = self.supervisor.does(acts.form_team(f"Team {new_id().hex[-6:]}", {}, facts))
        return Team(team_id, ids, [self.caller(Role.COLLECTOR, subject=each) for each in ids])

    def verify_addresses(self, cases: Iterable[dict[str, Any]]) -> None:
        sound = dict.fromkeys((case["id"] for case in cases), False)
        self.supervisor.does(acts.verify_addresses(sound, at=at(MONDAY - timedelta(days=3), 11)))

    def plan(self, day: date, team: Team) -> dict[str, Any]:
        """Plan a day for one team and wait for the plan."""
        return self.planned({"day": str(day), "team_ids": [team.id]})

    def planned(self, wish: dict[str, Any], replaces: str | None = None) -> dict[str, Any]:
        """The plan that the supervisor wishes for, once it is no longer a draft."""
        plan: dict[str, Any] = self.supervisor.does(acts.plan_day(wish, replaces=replaces))
        return plan

    def visits_of(self, plan: dict[str, Any]) -> list[dict[str, Any]]:
        return self.supervisor.does(acts.visits_of(plan))

    def quiet(self) -> None:
        """Wait until all services have done all that is due, and what came of it is signed."""
        self.admin.does(acts.quiet(SIGNED_SECONDS))

    def move_clock(self, to: str) -> None:
        self.admin.does(acts.move_clock(to, SIGNED_SECONDS))

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.wait()
        self.client.close()


def arrive(house: House, team: Team, visit: dict[str, Any]) -> str:
    """Send the team and let both check in. Returns the visit's address."""
    house.supervisor.does(acts.dispatch(visit["id"]))
    for number, collector in enumerate(team.collectors):
        collector.does(acts.check_in(visit["id"], check_in(team, number)))
    return f"/visits/v1/visits/{visit['id']}"


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
