"""The doors that answer the same question give the same verdict, by the same rules, about every case of a portfolio:
the contact check of cases, the gate's dry run and the dispatch of visits, and `doorstep gate`, which is given what the
portfolio says and not what the services stored.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from services.cases.app import create_app as create_cases
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.cli.main import app
from services.visits.app import create_app as create_visits
from services.visits.caseload import usecases as caseload
from services.visits.settings import VisitsSettings
from services.visits.visit.usecases import PlannedStop, plan_visit, store_planned
from services.visits.worker import SERVICE as VISITS
from shared.auth import Role
from shared.bus.transport import Partition, Record
from shared.events.followup import PromiseMade
from shared.events.registry import event_class
from shared.events.values import Amount, Instalment
from shared.ids import new_id
from shared.law import NoticeKind
from shared.runtime import Runtime
from tests.actors.samples import DIGEST, HEADER, PROFILE, profile, row
from tests.cases.conftest import System as CasesSystem
from tests.databases import migrated
from tests.one_service import client_of
from tests.visits.conftest import System as VisitsSystem

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
SENT, CALLED, GIVEN = "2026-02-12T10:00:00+00:00", "2026-02-27T18:00:00+00:00", "2026-02-20T10:00:00+00:00"
PLACES = {
    "tw": ("TW", "", "Asia/Taipei", 25.03, 121.56),
    "cn": ("CN", "", "Asia/Shanghai", 31.23, 121.47),
    "in": ("IN", "", "Asia/Kolkata", 19.07, 72.87),
    "uk": ("GB", "", "Europe/London", 51.5, -0.12),
    "us": ("US", "NY", "America/New_York", 40.71, -74.01),
    "us-ma": ("US", "MA", "America/New_York", 42.36, -71.06),
    "fr": ("FR", "", "Europe/Paris", 48.85, 2.35),
    "jp": ("JP", "", "Asia/Tokyo", 35.68, 139.69),
}
HOLDS = {
    "complaint": ("COMPLAINT_PENDING", "all"),
    "represented": ("REPRESENTED", "call"),
    "disputed": ("DISPUTE_PENDING", "visit"),
    "vulnerable": ("VULNERABLE_CUSTOMER", "call"),
}
KINDS = ("plain", "noticed", *HOLDS, "released", "consented", "withdrawn", "quiet", "denied", "unverified", "hazard")
KINDS = (*KINDS, "called", "promised", "owes-nothing")
HOURS = ((10, 0), (21, 30), (6, 0))
COLLECTOR = {
    "cleared": True, "violent_crime_record": False, "bad_credit": False, "confidentiality_agreement": True,
    "experience": True, "last_assessed_on": "2025-11-01",
    "certificates": [{"code": "FIELD-COLLECTION", "valid_from": "2025-06-01", "valid_until": "2027-06-01"}],
}  # fmt: skip
AGENCY = {"changed_at": "2026-02-20T09:00:00+00:00", "reviewed_on": "2026-01-15", "listed": True}


@dataclass
class Sample:
    """A case of the portfolio: where it is, what is recorded about it, and when something is done about it."""

    number: int
    place: str
    kind: str
    case_id: str = ""

    @property
    def at(self) -> datetime:
        hour, minute = HOURS[self.number % len(HOURS)]
        return datetime(2026, 3, 3, hour, minute, tzinfo=ZoneInfo(PLACES[self.place][2]))

    @property
    def line(self) -> str:
        country, region, _, latitude, longitude = PLACES[self.place]
        return f"{row(f'A-{self.number:03}', lat=str(latitude), lon=str(longitude))},{country},{region}"

    def stated(self, step: str) -> dict[str, Any]:
        """The act as a user writes it into a file."""
        country, region, zone, _, _ = PLACES[self.place]
        facts: dict[str, Any] = {
            "step": step, "country": country, "region": region or None, "time_zone": zone, "product": "CREDIT_CARD",
            "at": self.at.isoformat(), "transferred": True, "agent_changed_at": AGENCY["changed_at"],
        }  # fmt: skip
        if self.kind != "plain":
            facts["notices"] = dict.fromkeys(NoticeKind, SENT)
        if self.kind in HOLDS:
            facts["holds"] = [dict(zip(("reason", "scope"), HOLDS[self.kind], strict=True))]
        if self.kind == "promised":
            facts["holds"] = [{"reason": "PROMISE_ACTIVE", "scope": "visit"}]
        if self.kind == "consented":
            facts["consents"] = {"HOURS": DIGEST}
        if self.kind == "quiet":
            facts["quiet_periods"] = [{"reason": "BREATHING_SPACE", "first_day": "2026-03-01"}]
        if self.kind == "denied":
            facts |= {"denied_places": ["HOME", "OTHER"], "employer_forbids": True}
        if self.kind == "called":
            facts["first_contact_at"] = CALLED
        return facts | (self._of_a_visit() if step == "DISPATCH" else self._of_a_contact(step))

    def _of_a_visit(self) -> dict[str, Any]:
        return {
            "ends_at": (self.at + timedelta(minutes=20)).isoformat(),
            "address_verified": None if self.kind == "unverified" else True,
            "hazard": None if self.kind == "unverified" else self.kind == "hazard",
            "collectors": [COLLECTOR | {"ref": "a"}, COLLECTOR | {"ref": "b"}],
            "required_certificates": ["FIELD-COLLECTION"],
            "agency_reviewed_on": AGENCY["reviewed_on"],
            "agency_listed": AGENCY["listed"],
        }

    def _of_a_contact(self, step: str) -> dict[str, Any]:
        calls = [CALLED] if self.kind == "called" and step == "CALL" else []
        counts = {"calls_unanswered_today": 0, "calls_effective_today": 0, "calls": calls, "conversations": calls}
        return {"place_type": "OTHER", "person_met": "DEBTOR", **counts}


@dataclass
class Doors:
    cases: CasesSystem
    visits: VisitsSystem
    samples: list[Sample]


@pytest.fixture
def runtimes(tmp_path) -> tuple[Runtime, Runtime]:
    of_cases = migrated(CasesSettings(data_dir=tmp_path / "cases", clock=NOW), CASES)
    of_visits = migrated(VisitsSettings(data_dir=tmp_path / "visits", clock=NOW), VISITS)
    return Runtime(CASES, of_cases), Runtime(VISITS, of_visits)


@pytest.fixture
async def doors(runtimes) -> AsyncIterator[Doors]:
    """Both services with the portfolio: recorded in cases, and brought to visits by the events of cases alone."""
    of_cases, of_visits = runtimes
    samples = [Sample(number, *each) for number, each in enumerate(product(PLACES, KINDS))]
    async with AsyncExitStack() as stack:
        cases = CasesSystem(of_cases, await stack.enter_async_context(client_of(create_cases(of_cases))))
        visits = VisitsSystem(of_visits, await stack.enter_async_context(client_of(create_visits(of_visits))))
        await place(cases, samples)
        for sample in samples:
            await record(cases, sample)
        await tell(cases, visits)
        promised = [promise(sample) for sample in samples if sample.kind == "promised"]
        await cases.hear(*promised)
        await visits.hear(*promised)
        yield Doors(cases, visits, samples)


async def place(cases: CasesSystem, samples: list[Sample]) -> None:
    columns = PROFILE["columns"] | {"country": "country", "region": "region"}
    await cases.register(profile(columns=columns, notice=None, transferred=True), AGENCY)
    await cases.take_in("\n".join([f"{HEADER},country,region", *(sample.line for sample in samples), ""]).encode())
    page = await cases.get("/cases", limit=200)
    by_account = {each["accounts"][0]["account_ref"]: each["id"] for each in page["items"]}
    for sample in samples:
        sample.case_id = by_account[f"A-{sample.number:03}"]
    found = [
        {"case_id": each.case_id, "verified": True, "hazard": each.kind == "hazard", "method": "MAP", "at": GIVEN}
        for each in samples
        if each.kind != "unverified"
    ]
    assert (await cases.post("/address-verifications", {"verifications": found}))["refused"] == []
    sent = [
        {"case_id": each.case_id, "kind": kind, "channel": "LETTER", "sent_at": SENT, "proof_digest": DIGEST}
        for each in samples
        if each.kind != "plain"
        for kind in NoticeKind
    ]
    for start in range(0, len(sent), 200):
        assert (await cases.post("/notices", {"notices": sent[start : start + 200]}))["refused"] == []


async def record(cases: CasesSystem, sample: Sample) -> None:
    path = f"/cases/{sample.case_id}"
    reason, scope = HOLDS.get(sample.kind, ("HARDSHIP_REVIEW", "all"))
    if sample.kind in HOLDS or sample.kind == "released":
        hold = {"reason": reason, "scope": scope, "review_on": "2026-03-20"}
        placed = await cases.post(f"{path}/holds", hold, 201)
        if sample.kind == "released":
            await cases.post(f"/holds/{placed['id']}/release", {"reason": "RESOLVED"})
    if sample.kind in ("consented", "withdrawn"):
        consent = {"scope": "HOURS", "channel": "IN_WRITING", "given_at": GIVEN, "proof_digest": DIGEST}
        given = await cases.post(f"{path}/consents", consent, 201)
        if sample.kind == "withdrawn":
            await cases.post(f"/consents/{given['id']}/withdraw", {})
    if sample.kind == "quiet":
        period = {"reason": "BREATHING_SPACE", "first_day": "2026-03-01", "proof_digest": DIGEST}
        await cases.post(f"{path}/quiet-periods", period, 201)
    if sample.kind == "denied":
        said = {"inconvenient_places": ["HOME", "OTHER"], "employer_forbids": True}
        answer = await cases.client.put(f"/cases/v1{path}/contact-preference", json=said, headers=cases.bearer())
        assert answer.status_code == 200, answer.text
    if sample.kind == "called":
        attempt = {"case_id": sample.case_id, "channel": "CALL", "result": "RPC_OTHER", "at": CALLED}
        await cases.post("/contact-attempts", {"attempts": [attempt]})
    if sample.kind == "owes-nothing":
        paid = {"account_ref": f"A-{sample.number:03}", "amount": {"amount": "250000", "currency": "TWD"}}
        line = paid | {"reference": f"P-{sample.number}", "received_on": "2026-03-01"}
        await cases.post("/payments", {"payments": [line]}, role=Role.LENDER)


def promise(sample: Sample) -> PromiseMade:
    due = Instalment(due_on=NOW.date() + timedelta(days=9), amount=Amount(amount="1000", currency="TWD"))
    return PromiseMade(case_id=UUID(sample.case_id), promise_id=new_id(), instalments=[due], total=due.amount)


async def tell(cases: CasesSystem, visits: VisitsSystem) -> None:
    """Everything that cases published arrives at visits."""
    records = [
        Record(Partition(event_class(headers["ce_type"]).topic, 0), number, headers["ce_partitionkey"], headers, value)
        for number, (_, headers, value) in enumerate(await cases.published(), 100_000)
    ]
    await visits.runtime.consumer().handle_batch(records)


def outcome(decision: dict[str, Any]) -> tuple[str, frozenset[tuple[str, str]]]:
    """The verdict, and the rules that did not pass."""
    found = [(each["rule_id"], each["verdict"]) for each in decision["findings"] if each["verdict"] != "pass"]
    return decision["verdict"], frozenset(found)


def by_file(sample: Sample, step: str, tmp_path) -> tuple[str, frozenset[tuple[str, str]]]:
    file = tmp_path / f"{sample.case_id}.{step}.json"
    file.write_text(json.dumps(sample.stated(step)))
    done = CliRunner().invoke(app, ["gate", "--visit", str(file), "--json"])
    assert done.exit_code in (0, 1), done.output
    return outcome(json.loads(done.stdout))


@pytest.mark.slow
async def test_every_door_gives_the_same_verdict_by_the_same_rules(doors, tmp_path):
    found: dict[tuple[str, str, str], dict[str, Any]] = {}

    def note(sample: Sample, step: str, door: str, answer: tuple[str, frozenset[tuple[str, str]]]) -> None:
        found.setdefault((sample.place, sample.kind, step), {})[door] = answer

    samples, cases, visits = doors.samples, doors.cases, doors.visits
    for step, channel in (("CALL", "CALL"), ("CALL", "SMS"), ("LETTER", "LETTER")):
        asked = [{"case_id": each.case_id, "channel": channel, "at": each.at.isoformat()} for each in samples]
        answers = (await cases.post("/contact-checks", {"contacts": asked}))["items"]
        for sample, answer in zip(samples, answers, strict=True):
            if (sample.kind, channel) != ("called", "SMS"):  # a message is under no cap of calls
                note(sample, step, f"contact check of {channel}", outcome(answer["decision"]))
    team = await visits.team()
    for sample, decision in await dry_runs(visits, samples, team[0]):
        note(sample, "DISPATCH", "dry run", outcome(decision))
    for sample, decision in await dispatches(visits, samples, team):
        note(sample, "DISPATCH", "dispatch", outcome(decision))
    for sample, step in product(samples, ("CALL", "LETTER", "DISPATCH")):
        note(sample, step, "doorstep gate", by_file(sample, step, tmp_path))
    differ = {asked: answers for asked, answers in found.items() if len(set(answers.values())) > 1}
    assert differ == {}
    verdicts = [verdict for answers in found.values() for verdict, _ in answers.values()]
    assert min(verdicts.count(each) for each in ("pass", "warn", "block")) > 20, "the portfolio shows every verdict"
    assert {len(answers) for answers in found.values()} == {2, 3}


async def dry_runs(visits: VisitsSystem, samples: list[Sample], team: UUID) -> list[tuple[Sample, dict[str, Any]]]:
    """The decisions that the gate would take, asked for the cases of one time at once."""
    by_time, found = defaultdict(list), []
    for sample in samples:
        by_time[sample.at.isoformat()].append(sample)
    for at, some in by_time.items():
        body = {"case_ids": [each.case_id for each in some], "step": "DISPATCH", "team_id": str(team), "at": at}
        items = (await visits.post("/gate-checks", body))["items"]
        found += [(sample, item["decision"]) for sample, item in zip(some, items, strict=True)]
    return found


async def dispatches(
    visits: VisitsSystem, samples: list[Sample], team: tuple[UUID, list[UUID]]
) -> list[tuple[Sample, dict[str, Any]]]:
    """The decisions that the gate took when a team was sent to each case."""
    planned = []
    async with visits.runtime.database.transaction() as tx:
        cases = await caseload.lock_all(tx, [UUID(each.case_id) for each in samples])
        for sample in samples:
            stop = PlannedStop(team[0], team[1], 0, sample.at, sample.at + timedelta(minutes=20), (25.03, 121.56))
            planned.append((plan_visit(cases[UUID(sample.case_id)], stop, plan_id=new_id()), stop.position))
        await store_planned(tx, planned)
    headers = visits.bearer()
    for visit, _ in planned:
        answer = await visits.client.post(f"/visits/v1/visits/{visit.id}/dispatch", headers=headers)
        assert answer.status_code in (200, 409), answer.text
    decisions = (await visits.get("/decisions", limit=200))["items"]
    by_case = {each["case_id"]: each["decision"] for each in decisions}
    assert len(decisions) == len(by_case) == len(samples)
    return [(sample, by_case[sample.case_id]) for sample in samples]
