"""What each action that needs a second person promises, tried on every action of every catalogue. A new action is added
to `USERS` with three facts: how a person asks, what changes its subject, and how its effect is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest
from sqlalchemy import update

from services.cases.app import create_app as create_cases
from services.cases.holds import usecases as holds
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.embedded import PARTS
from services.visits.app import create_app as create_visits
from services.visits.rulepacks.tables import PackVersionRow
from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE as VISITS
from shared.auth import Actor, Role
from shared.law import load_packs
from shared.runtime import Runtime
from shared.settings import Settings
from tests.cases.conftest import NOON, System
from tests.databases import database, migrated
from tests.one_service import OneService, client_of

REASON = {"reason": "The mother, 王小明, called: all is settled."}
OFFICER = Actor("officer-9", frozenset({Role.COMPLIANCE}))


class User(Protocol):
    """An action in use. `role` may ask and decide, `stranger` may do neither. `reason`: what the list shows of it."""

    action: str
    role: Role
    stranger: Role
    reason: str | None
    system: OneService

    async def ask(self, subject: str) -> str:
        """A person asks. Returns the id of the request."""

    async def change(self) -> None:
        """The subject changes in another way."""

    async def is_done(self) -> bool: ...


class HoldRelease:
    action, role, stranger, reason = "RELEASE_HOLD", Role.SUPERVISOR, Role.ADMIN, REASON["reason"]
    service, settings = CASES, CasesSettings

    def __init__(self, system: System, hold: dict[str, Any]) -> None:
        self.system = system
        self.hold = hold

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: CasesSettings) -> AsyncIterator["HoldRelease"]:
        runtime = Runtime(CASES, settings)
        async with client_of(create_cases(runtime)) as client:
            system = System(runtime, client)
            [case] = await system.place("A-1")
            hold = {"reason": "VULNERABLE_CUSTOMER", "review_on": "2026-04-01"}
            yield cls(system, await system.post(f"/cases/{case}/holds", hold, 201))

    async def ask(self, subject: str) -> str:
        path = f"/holds/{self.hold['id']}/release"
        refused = await self.system.post(path, REASON, 409, self.role, subject=subject)
        assert refused["title"] == "second-person"
        return str(refused["approval_id"])

    async def change(self) -> None:
        async with self.system.runtime.database.transaction() as tx:
            tx.now = NOON
            await holds.release_with_answer(tx, UUID(self.hold["id"]), actor=OFFICER)

    async def is_done(self) -> bool:
        [hold] = (await self.system.get(f"/cases/{self.hold['case_id']}/holds"))["items"]
        return hold["released_at"] is not None


class PackActivation:
    action, role, stranger, reason = "ACTIVATE_RULE_PACK", Role.COMPLIANCE, Role.SUPERVISOR, None
    service, settings = VISITS, VisitsSettings

    def __init__(self, system: OneService) -> None:
        self.system = system

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: VisitsSettings) -> AsyncIterator["PackActivation"]:
        runtime = Runtime(VISITS, settings)
        async with client_of(create_visits(runtime)) as client:
            yield cls(OneService(runtime, client))

    async def ask(self, subject: str) -> str:
        """An upload. The name of a version is given once: after a decision, another one is uploaded."""
        headers = self.system.bearer(self.role, subject=subject) | {"Content-Type": "application/yaml"}
        number = sum(each["status"] != "OPEN" for each in await self._requests())
        pack = load_packs()["tw"]
        text = pack.text.replace(f'version: "{pack.version}"', f'version: "trial-{number}"')
        path = "/visits/v1/rule-packs/tw/versions?effective_from=2026-04-01"
        answer = await self.system.client.post(path, content=text, headers=headers)
        assert answer.status_code in (201, 409), answer.text
        return str((await self._requests(status="OPEN"))[0]["id"])

    async def _requests(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.system.get("/approvals", role=self.role, **query))["items"]
        return found

    async def change(self) -> None:
        async with self.system.runtime.database.transaction() as tx:
            await tx.session.execute(update(PackVersionRow).values(effective_from=date(2026, 5, 1)))

    async def is_done(self) -> bool:
        versions = (await self.system.get("/rule-packs/tw/versions", role=self.role))["items"]
        return any(each["status"] == "ACTIVATED" for each in versions)


USERS: dict[str, Any] = {kind.action: kind for kind in (HoldRelease, PackActivation)}


@pytest.fixture(params=USERS)
def action(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(request: pytest.FixtureRequest, action: str, database_kind: str, tmp_path: Path) -> Settings:
    kind = USERS[action]
    made: Settings = kind.settings(data_dir=tmp_path, clock=NOON, **database(request, kind.service))
    return migrated(made, kind.service)


@pytest.fixture
async def user(action: str, settings: Settings) -> AsyncIterator[User]:
    async with USERS[action].of(settings) as found:
        yield found


async def decide(user: User, approval: str, expect: int = 200, verb: str = "approve", subject: str = "s-2") -> Any:
    return await user.system.post(f"/approvals/{approval}/{verb}", REASON, expect, user.role, subject=subject)


async def listed(user: User, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await user.system.get("/approvals", role=user.role, **query))["items"]
    return found


async def acts(user: User) -> list[str]:
    return [kind for kind in await user.system.types() if kind.startswith("approval-")]


def test_every_action_of_every_catalogue_is_tried_here() -> None:
    catalogues = [part.service.approvals for part in PARTS.values()]
    known = [action.name for catalogue in catalogues if catalogue for action in catalogue.actions]
    assert sorted(known) == sorted(USERS)


@pytest.mark.dialect
async def test_one_asks_another_approves_and_the_list_says_who_when_why_and_what_for(user: User) -> None:
    asked = await user.ask("s-1")
    [waiting] = await listed(user, status="OPEN")
    assert (waiting["id"], waiting["action"], waiting["status"]) == (asked, user.action, "OPEN")
    assert waiting["asked_by"] == f"{user.role}:s-1"
    assert waiting["reason"] == user.reason
    assert waiting["effect"].endswith(".")
    assert not await user.is_done()
    done = await decide(user, asked)
    assert (done["status"], done["decided_by"], done["answer"]) == ("APPROVED", f"{user.role}:s-2", REASON["reason"])
    assert await user.is_done()
    assert await listed(user, status="OPEN") == []
    assert await listed(user, status="APPROVED", subject_id=waiting["subject_id"]) == [done]
    assert await acts(user) == ["approval-asked", "approval-granted"]


async def test_nobody_approves_or_refuses_alone_in_any_role(user: User) -> None:
    asked = await user.ask("s-1")
    for verb in ("approve", "refuse"):
        assert (await decide(user, asked, 409, verb, "s-1"))["title"] == "second-person"
    assert (await listed(user))[0]["status"] == "OPEN"
    assert not await user.is_done()


async def test_no_reason_is_in_an_event_or_readable_in_the_database(user: User) -> None:
    await decide(user, await user.ask("s-1"))
    for _, headers, payload in await user.system.published():
        assert "王小明" not in payload.decode() + str(headers)
    folder = Path(user.system.runtime.settings.data_dir)
    assert not any("王小明".encode() in file.read_bytes() for file in folder.glob("*.sqlite3*"))


@pytest.mark.dialect
async def test_of_two_who_decide_at_once_one_does(user: User) -> None:
    asked = await user.ask("s-1")
    path, headers = f"/{user.system.runtime.service.name}/v1/approvals/{asked}/approve", user.system.bearer
    answers = await asyncio.gather(
        *(user.system.client.post(path, json=REASON, headers=headers(user.role, subject=f"s-{n}")) for n in (2, 3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [late] = [answer.json()["title"] for answer in answers if answer.status_code == 409]
    assert late == "approval-decided"
    assert (await acts(user)).count("approval-granted") == 1


@pytest.mark.dialect
async def test_two_who_ask_at_once_ask_once(user: User) -> None:
    first, second = await asyncio.gather(user.ask("s-1"), user.ask("s-2"))
    assert first == second
    again = await user.ask("s-3")
    assert again == first
    assert await acts(user) == ["approval-asked"]


async def test_what_is_refused_is_not_done_and_can_be_asked_again(user: User) -> None:
    asked = await user.ask("s-1")
    assert (await user.system.post(f"/approvals/{asked}/refuse", {}, 422, user.role, subject="s-2"))["errors"]
    refused = await decide(user, asked, verb="refuse")
    assert (refused["status"], refused["answer"]) == ("REFUSED", REASON["reason"])
    assert (await decide(user, asked, 409))["title"] == "approval-decided"
    assert not await user.is_done()
    again = await user.ask("s-1")
    assert again != asked
    await decide(user, again)
    assert await user.is_done()
    assert await acts(user) == ["approval-asked", "approval-refused", "approval-asked", "approval-granted"]


@pytest.mark.dialect
async def test_a_request_expires_and_can_be_made_again(user: User) -> None:
    asked = await user.ask("s-1")
    assert await expire(user) == 0
    [waiting] = await listed(user)
    end = NOON + timedelta(days=400)
    await user.system.at(end)
    assert waiting["expires_at"] < end.isoformat()
    assert await listed(user, status="OPEN") == []  # before the timer ran
    assert [each["id"] for each in await listed(user, status="EXPIRED")] == [asked]
    assert (await decide(user, asked, 409))["title"] == "approval-expired"
    assert await expire(user) == 1
    assert await expire(user) == 0
    assert [each["ended_because"] for each in await listed(user, status="EXPIRED")] == ["TIME"]
    assert await acts(user) == ["approval-asked", "approval-expired"]
    assert not await user.is_done()


async def expire(user: User) -> int:
    catalogue = user.system.runtime.service.approvals
    assert catalogue is not None
    [timer] = [timer for timer in user.system.runtime.service.timers if timer.name == "approvals"]
    return await timer.run(user.system.runtime)


async def test_what_changed_since_is_named_and_not_carried_out(user: User) -> None:
    asked = await user.ask("s-1")
    await user.change()
    refused = await decide(user, asked, 409)
    assert refused["title"] == "changed-since"
    assert all(each["was"] != each["now"] for each in refused["changed"])
    assert refused["changed"]
    await decide(user, asked, verb="refuse")


async def test_a_request_outlives_the_person_who_asked(user: User) -> None:
    """Doorstep keeps no list of staff: the second person takes the responsibility, on facts that are still true."""
    asked = await user.ask("a colleague who left")
    await user.system.at(NOON + timedelta(hours=8))
    assert (await decide(user, asked))["status"] == "APPROVED"


async def test_who_has_another_role_and_who_is_a_lender_see_nothing_of_it(user: User) -> None:
    asked = await user.ask("s-1")
    for role, expect in ((Role.LENDER, 404), (Role.COLLECTOR, 403), (Role.CALLER, 403), (user.stranger, 403)):
        await user.system.get("/approvals", expect, role)
        await user.system.get(f"/approvals/{asked}", expect, role)
        await user.system.post(f"/approvals/{asked}/approve", REASON, expect, role)
    await user.system.get("/approvals/01930000-0000-7000-8000-000000000000", 404, user.role)
