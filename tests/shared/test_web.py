"""What every route promises, whoever wrote it: the commit before the reply, one effect a key, problems that help."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import select, update

from shared.auth import Role, RouteWithoutRule, rules_of
from shared.clock import system_now
from shared.idempotency import KEPT_HOURS, drop_old_replies
from shared.web import create_app


async def test_what_is_acknowledged_is_committed(system):
    answer = await system.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": "one"})
    assert answer.status_code == 201
    async with system.runtime.database.engine.connect() as other_connection:
        outbox = system.runtime.service.tables.bus.outbox
        rows = (await other_connection.execute(select(outbox.c.headers))).all()
    assert len(rows) == 1
    assert "doorstep.cases.case-released.v1" in rows[0].headers


@pytest.mark.parametrize(("text", "status"), [("refuse", 409), ("crash", 500)])
async def test_what_fails_leaves_nothing(system, text, status):
    answer = await system.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": text})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert await system.outbox() == []
    assert (await system.caller(Role.SUPERVISOR).get("/cases/v1/notes")).json() == []


async def test_the_same_key_is_done_once_and_replayed(system):
    supervisor = system.caller(Role.SUPERVISOR)
    first = await supervisor.post("/cases/v1/notes", {"text": "one"}, **{"Idempotency-Key": "k1"})
    again = await supervisor.post("/cases/v1/notes", {"text": "one"}, **{"Idempotency-Key": "k1"})
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await system.outbox()) == 1


async def test_the_same_key_for_another_body_is_refused_with_its_own_code(system):
    supervisor = system.caller(Role.SUPERVISOR)
    await supervisor.post("/cases/v1/notes", {"text": "one"}, **{"Idempotency-Key": "k1"})
    other = await supervisor.post("/cases/v1/notes", {"text": "two"}, **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["title"]) == (422, "idempotency-key-reused")


async def test_the_same_key_of_another_caller_is_another_request(system):
    for subject in ("ann", "bob"):
        caller = system.caller(Role.SUPERVISOR, subject=subject)
        assert (await caller.post("/cases/v1/notes", {"text": "x"}, **{"Idempotency-Key": "k"})).status_code == 201
    assert len(await system.outbox()) == 2


async def test_two_at_the_same_moment_run_once(system):
    supervisor = system.caller(Role.SUPERVISOR)
    post = [supervisor.post("/cases/v1/notes", {"text": "one"}, **{"Idempotency-Key": "k"}) for _ in range(8)]
    answers = await asyncio.gather(*post)
    assert len({answer.text for answer in answers}) == 1
    assert len(await system.outbox()) == 1


async def test_a_refused_request_may_be_repeated_with_its_key(system):
    supervisor = system.caller(Role.SUPERVISOR)
    for _ in range(2):
        answer = await supervisor.post("/cases/v1/notes", {"text": "crash"}, **{"Idempotency-Key": "k"})
        assert answer.status_code == 500


async def test_a_stored_reply_is_not_plain_text(system):
    await system.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": "王小明"}, **{"Idempotency-Key": "k"})
    async with system.runtime.database.reading() as tx:
        reply = await tx.session.scalar(select(system.runtime.service.tables.idempotency.c.reply))
    assert reply is not None
    assert "王小明".encode() not in reply


async def test_a_malformed_body_names_the_field_and_not_the_value(system):
    answer = await system.caller(Role.SUPERVISOR).post("/cases/v1/notes", {"text": 13370001})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body.text"
    assert "13370001" not in answer.text


async def test_request_ids_are_echoed_or_made(system):
    supervisor = system.caller(Role.SUPERVISOR)
    assert (await supervisor.get("/cases/v1/notes", **{"X-Request-Id": "abc-1"})).headers["x-request-id"] == "abc-1"
    made = await supervisor.get("/cases/v1/notes", **{"X-Request-Id": "not an id"})
    assert len(made.headers["x-request-id"]) == 36


async def test_an_unknown_path_is_a_problem_document(system):
    answer = await system.bearing(None).get("/cases/v1/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "not-found")


async def test_health_and_metrics_are_open(system):
    anybody = system.bearing(None)
    assert (await anybody.get("/health/live")).status_code == 200
    assert "doorstep_request_seconds" in (await anybody.get("/metrics")).text


async def test_a_route_without_a_rule_stops_the_start(system):
    careless = APIRouter(prefix="/cases/v1")

    @careless.get("/open-door")
    async def open_door() -> str:
        return "hello"

    with pytest.raises(RouteWithoutRule, match="/cases/v1/open-door"):
        create_app(system.runtime, title="Careless", routers=[careless])


async def test_a_nested_router_is_walked_too():
    app, inner, outer = FastAPI(openapi_url=None), APIRouter(), APIRouter()

    @inner.get("/deep")
    async def deep() -> str:
        return "hello"

    outer.include_router(inner, prefix="/a")
    app.include_router(outer, prefix="/b")
    with pytest.raises(RouteWithoutRule, match="/b/a/deep"):
        rules_of(app.routes)


async def test_replies_are_forgotten_a_day_after_their_claim(system):
    supervisor, table = system.caller(Role.SUPERVISOR), system.runtime.service.tables.idempotency
    for key in ("old", "new"):
        await supervisor.post("/cases/v1/notes", {"text": "one"}, **{"Idempotency-Key": key})
    async with system.runtime.database.transaction() as tx:
        a_day_ago = system_now() - timedelta(hours=KEPT_HOURS, seconds=1)
        await tx.session.execute(update(table).where(table.c.key == "old").values(claimed_at=a_day_ago))
    assert [await drop_old_replies(table)(system.runtime) for _ in range(2)] == [1, 0]
    async with system.runtime.database.reading() as tx:
        assert list(await tx.session.scalars(select(table.c.key))) == ["new"]
