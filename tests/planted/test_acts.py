"""Acts that are accepted, with a marker in each text that they take: a payment, a collector, a team, a visit's record.
What a person wrote reaches no event, log, metric or trail, and what is sealed stands nowhere in the clear."""

import asyncio
import json

from services.cases.app import create_app as create_cases
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE as CASES
from services.visits.app import create_app as create_visits
from services.visits.settings import VisitsSettings
from services.visits.worker import SERVICE as VISITS
from shared.auth import Role
from shared.runtime import Runtime
from tests.actors.samples import RECORD
from tests.cases.conftest import NOON
from tests.cases.conftest import System as Cases
from tests.databases import migrated
from tests.one_service import client_of
from tests.planted.markers import Markers
from tests.planted.watch import Problems, log_lines, published, raw, stored_errors, trail_of
from tests.visits.conftest import MONDAY, taipei
from tests.visits.conftest import System as Visits

CODES = {"receipt number", "certificate code"}
"""Codes by their form, not texts: the number of our own book of receipts, by which cases and lender find the cash
again, and the name of a certificate, by which a rule asks for it."""


async def seen_outside(runtime, log, problems, client, folder):
    """All that leaves a service, and its trail."""
    records = await published(runtime)
    assert records
    metrics = (await client.get("/metrics")).text
    errors = stored_errors(runtime.settings.data_dir / f"{runtime.service.name}.sqlite3")
    leaves = await trail_of(records, folder)
    events = [each.value + json.dumps(dict(each.headers)).encode() for each in records]
    return [*events, leaves, log.getvalue(), metrics, *errors, *problems.texts]


async def test_payments(tmp_path):
    settings = CasesSettings(data_dir=tmp_path / "data", clock=NOON)
    runtime, markers = Runtime(CASES, await asyncio.to_thread(migrated, settings, CASES)), Markers()
    with log_lines() as log:
        async with client_of(create_cases(runtime)) as client:
            system, problems = Cases(runtime, client), Problems(client)
            account = markers.word("account")
            [case] = await system.place(account)
            money = {"amount": "100", "currency": "TWD"}
            lines = [
                {
                    "reference": markers.word("reference"),
                    "account_ref": name,
                    "receipt_number": markers.word("receipt"),
                    "amount": money | changes,
                    "received_on": "2026-03-01",
                }
                for name, changes in (
                    (account, {}),
                    (markers.word("no account"), {}),
                    (account, {"currency": "zqxaqz"}),
                    (account, {"amount": "-1"}),
                )
            ]
            answer = await system.post("/payments", {"payments": lines}, role=Role.LENDER)
            results = [each["result"] for each in answer["items"]]
            assert results == ["ACCEPTED", "UNMATCHED", "REJECTED", "REJECTED"]
            assert "zqxaqz" not in json.dumps([each | {"reference": ""} for each in answer["items"]])
            await system.post("/debtor-searches", {"lender_id": "lender-1", "reference": account})
            missing = {"lender_id": "lender-1", "reference": markers.word("nobody")}
            await system.post("/debtor-searches", missing, 404)
            point = markers.word("contact point") + "-1"
            attempt = {"case_id": case, "channel": "CALL", "result": "NO_ANSWER", "at": "2026-03-02T11:00:00+08:00"}
            await system.post("/contact-attempts", {"attempts": [attempt | {"contact_point": point}]})
            outside = await seen_outside(runtime, log, problems, client, tmp_path / "trail")
    assert markers.found_in(*outside) == set()


async def test_a_visit_is_written_down(tmp_path):
    settings = VisitsSettings(data_dir=tmp_path / "data", clock=taipei(MONDAY, 10))
    runtime, markers = Runtime(VISITS, await asyncio.to_thread(migrated, settings, VISITS)), Markers()
    with log_lines() as log:
        async with client_of(create_visits(runtime)) as client:
            system, problems = Visits(runtime, client), Problems(client)
            team, collectors = await system.team()
            certificate = {"valid_from": "2025-06-01", "valid_until": "2027-06-01"}
            code = markers.word("certificate code").upper()
            person = {"name": markers.text("collector"), "status": "ACTIVE", "violent_crime_record": False}
            person["certificates"] = [certificate | {"code": code}]
            person["last_assessed_on"] = "2025-11-01"
            more = await system.post("/collectors", person, 201)
            code = markers.word("certificate code").upper()
            await system.post(f"/collectors/{more['id']}/certificates", certificate | {"code": code}, 201)
            body = {"name": markers.text("team"), "collector_ids": [more["id"], *map(str, await system.collectors(1))]}
            await system.post("/teams", body, 201)
            case = await system.case()
            path = f"/visits/{await system.visit(case, (team, collectors))}"
            await system.post(f"{path}/dispatch")
            for collector in collectors:
                arrival = {"collector_id": str(collector), "device_time": taipei(MONDAY, 10).isoformat()}
                arrival |= {"latitude": 25.03, "longitude": 121.56, "accuracy_m": 10}
                await system.post(f"{path}/check-in", arrival | {"note": markers.text("unknown field of an arrival")})
            cash = {"receipt_number": markers.word("receipt number").upper()}
            cash["amount"] = {"amount": "50", "currency": "TWD"}
            evidence = [
                each | {"media_type": f"video/{markers.word('media type')}", "label": markers.text("unknown field")}
                for each in RECORD["evidence"]
            ]
            report = RECORD | {"statement": markers.text("statement"), "cash": cash, "evidence": evidence}
            done = await system.post(f"{path}/complete", report | {"memo": markers.text("unknown field")})
            assert done["status"] == "COMPLETED"
            assert "visit-completed" in await system.types()
            outside = await seen_outside(runtime, log, problems, client, tmp_path / "trail")
    assert markers.found_in(*outside) == CODES
    assert markers.found_in(raw(tmp_path / "data")) == CODES | {"team"}
