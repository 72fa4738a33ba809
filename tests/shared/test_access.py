"""One line for every request, a count of refusals, our own correlation id, and headers that protect what is shown."""

import json
import logging

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select

from shared.auth import Role
from shared.telemetry import JsonLines
from shared.web.access import subject_in_log

LIST = "/cases/v1/notes"
KEY = b"k" * 32


@pytest.fixture
def lines(caplog):
    """The fields of the access log, newest last."""
    caplog.set_level(logging.DEBUG, logger="doorstep.access")
    return lambda: [record.doorstep for record in caplog.records if record.message == "request"]


@pytest.mark.parametrize(
    "subject", ["development-admin", "auth0|507f1f77bcf86cd799439011", "0190d3f2-1b7e-7c3a-9f10-2a3b4c5d6e7f", "visits"]
)
def test_an_impersonal_subject_is_logged_as_it_is(subject):
    assert subject_in_log(subject, KEY) == subject


@pytest.mark.parametrize(
    "subject",
    [
        "ann@bank.example",
        "CN=Ann,O=Bank",
        "Ann Lee",
        "王小明",
        "0912345678",
        "A123456789",
        "sms|886912345678",
        "tw:A123456789",
        "a" * 81,
        "x\ny",
        "\ud800",
        "",
    ],
)
def test_a_subject_that_may_name_a_person_is_a_keyed_digest(subject):
    shown = subject_in_log(subject, KEY)
    assert shown.startswith("~")
    assert len(shown) == 13
    assert shown == subject_in_log(subject, KEY)
    assert shown != subject_in_log(subject, b"another key")


async def test_each_request_is_one_line_without_personal_data(system, lines):
    supervisor = system.caller(Role.SUPERVISOR, subject="ann@bank.example")
    await supervisor.post(LIST, {"text": "王小明"}, **{"X-Request-Id": "mine-1"})
    (line,) = lines()
    assert line.pop("milliseconds") >= 0
    assert len(line.pop("request_id")) == 36
    assert line == {
        "service": "cases",
        "method": "POST",
        "route": LIST,
        "status": 201,
        "subject": subject_in_log("ann@bank.example", system.runtime.log_key),
        "role": "supervisor",
        "client_request_id": "mine-1",
    }


@pytest.mark.parametrize(
    ("role", "text", "status", "code"),
    [
        (None, "x", 401, "token-missing"),
        (Role.COLLECTOR, "x", 403, "role"),
        (Role.SUPERVISOR, "refuse", 409, "refused"),
        (Role.SUPERVISOR, 1, 422, "malformed"),
        (Role.SUPERVISOR, "crash", 500, "internal"),
    ],
)
async def test_a_refusal_is_counted_by_its_reason(system, lines, role, text, status, code):
    def count():
        return REGISTRY.get_sample_value("doorstep_refusals_total", {"service": "cases", "code": code}) or 0

    before = count()
    caller = system.caller(role) if role else system.bearing(None)
    assert (await caller.post(LIST, {"text": text})).status_code == status
    assert count() == before + 1
    assert (lines()[-1]["status"], lines()[-1]["code"]) == (status, code)


async def test_polls_of_health_are_logged_at_debug_only(system, caplog):
    caplog.set_level(logging.INFO, logger="doorstep.access")
    await system.bearing(None).get("/health/live")
    assert not caplog.records


async def test_the_correlation_of_events_is_ours_whatever_the_client_sends(system, lines):
    supervisor = system.caller(Role.SUPERVISOR)
    answers = [await supervisor.post(LIST, {"text": "x"}, **{"X-Request-Id": "mine-1"}) for _ in range(2)]
    assert {answer.headers["x-request-id"] for answer in answers} == {"mine-1"}
    outbox = system.runtime.service.tables.bus.outbox
    async with system.runtime.database.reading() as tx:
        headers = (await tx.session.scalars(select(outbox.c.headers).order_by(outbox.c.seq))).all()
    stored = [json.loads(each)["ce_correlationid"] for each in headers]
    assert stored == [answer.headers["x-correlation-id"] for answer in answers]
    assert stored == [line["request_id"] for line in lines()]
    assert len(set(stored)) == 2


async def test_without_an_id_of_the_client_both_ids_are_ours(system):
    for given in ({}, {"X-Request-Id": "not an id"}, {"X-Request-Id": "x" * 65}):
        answer = await system.caller(Role.SUPERVISOR).get(LIST, **given)
        assert answer.headers["x-request-id"] == answer.headers["x-correlation-id"]
        assert len(answer.headers["x-request-id"]) == 36


async def test_a_500_carries_the_ids_and_its_line_names_type_and_place_only(system, caplog):
    answer = await system.caller(Role.SUPERVISOR).post(LIST, {"text": "crash"}, **{"X-Request-Id": "mine-1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine-1")
    (crash,) = [record for record in caplog.records if record.message == "request failed"]
    line = json.loads(JsonLines().format(crash))
    assert (line["exception"], line["request_id"]) == ("RuntimeError", answer.headers["x-correlation-id"])
    assert line["at"].startswith("conftest.py:")
    assert "secret" not in str(line)


@pytest.mark.parametrize("path", [LIST, "/cases/v1/nothing", "/health/live", "/cases/v1/openapi.json"])
async def test_no_answer_is_stored_or_guessed_at(system, path):
    answer = await system.caller(Role.SUPERVISOR).get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_pages_of_other_origins_may_not_call_unless_the_setting_names_them(system, running_with):
    preflight = {"Origin": "https://desk.example", "Access-Control-Request-Method": "POST"}
    refused = await system.client.options(LIST, headers=preflight)
    assert "access-control-allow-origin" not in refused.headers
    async with running_with(cors_origins="https://desk.example,http://localhost:5173") as open_system:
        wanted = preflight | {"Access-Control-Request-Headers": "authorization,idempotency-key"}
        answer = await open_system.client.options(LIST, headers=wanted)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://desk.example")
        other = await open_system.client.options(LIST, headers=wanted | {"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        read = await open_system.caller(Role.SUPERVISOR).get(LIST, Origin="https://desk.example")
        assert read.headers["access-control-allow-origin"] == "https://desk.example"
        assert "X-Correlation-Id" in read.headers["access-control-expose-headers"]
