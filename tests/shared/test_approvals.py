"""Requests for a second person on an action of tests: to give a note another text. What every real action promises over
HTTP is in tests/contracts/test_approvals.py."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table, Text, Uuid, insert, select, update

from shared.approvals import Action, Approval, Approvals, ApprovalStatus, Subject, check_decidable, differences
from shared.auth import Actor, Role
from shared.database import Context, Transaction
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from shared.tenants import owned
from tests.databases import database

METADATA = MetaData()
TABLES = service_tables(METADATA)
NOTES = Table(
    "note",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("lender_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    **owned(tenant="lender_id"),
)
APPROVALS = Approvals(METADATA)
NOTE = UUID(int=7)
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
DESK = frozenset({Role.SUPERVISOR})


def person(subject: str, *roles: Role) -> Actor:
    return Actor(subject, frozenset(roles or DESK))


FIRST, SECOND = person("s-1"), person("s-2")


async def look(tx: Transaction, note_id: UUID) -> Subject:
    note = (await tx.session.execute(select(NOTES).where(NOTES.c.id == note_id).with_for_update())).one_or_none()
    if note is None:
        raise NotFound("note-not-found", "There is no such note here.")
    return Subject({"text": note.text}, lender_id=note.lender_id)


async def rewrite(tx: Transaction, approval: Approval, _actor: Actor) -> None:
    text = approval.command["text"]
    if text == "impossible":
        raise Conflict("impossible", "This text is not possible.")
    await tx.session.execute(update(NOTES).where(NOTES.c.id == approval.subject_id).values(text=text))


REWRITE = Action(
    "REWRITE",
    effect="The note is rewritten.",
    asked_by=DESK | {Role.LENDER},
    decided_by=DESK,
    expires_after=timedelta(days=2),
    look=look,
    carry_out=rewrite,
)


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, clock=NOW, **database(request))


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    found = Runtime(Service("cases", TABLES, Path("unused")), settings)
    async with found.database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await found.start()
    async with found.database.transaction() as tx:
        await tx.session.execute(insert(NOTES).values(id=NOTE, lender_id="lender-1", text="old"))
    yield found
    await found.close()


async def ask(runtime: Runtime, text: str = "new", actor: Actor = FIRST, now: datetime = NOW) -> Approval:
    async with runtime.database.transaction(Context(actor.ref, lender_id=actor.lender_id), now) as tx:
        return await APPROVALS.ask(tx, REWRITE, NOTE, reason="because", actor=actor, command={"text": text})


async def approve(runtime: Runtime, approval: Approval, actor: Actor = SECOND, now: datetime = NOW) -> Approval:
    async with runtime.database.transaction(Context(actor.ref), now) as tx:
        return await APPROVALS.approve(tx, REWRITE, approval.id, reason=None, actor=actor)


async def text_of(runtime: Runtime) -> str | None:
    async with runtime.database.reading() as tx:
        return await tx.session.scalar(select(NOTES.c.text))


async def all_of(runtime: Runtime, lender_id: str | None = None) -> list[Approval]:
    async with runtime.database.reading(Context(lender_id=lender_id), NOW) as tx:
        filters = {"status": None, "case_id": None, "subject_id": None, "after": None}
        return list(await APPROVALS.page(tx, ["REWRITE"], **filters, limit=10))


def test_differences_are_named_with_both_values() -> None:
    assert differences({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    found = differences({"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": None, "new": 4})
    assert [(each.field, each.was, each.now) for each in found] == [("b", 2, None), ("gone", 3, None), ("new", None, 4)]


@pytest.mark.parametrize(
    ("status", "subject", "after", "code"),
    [
        ("OPEN", "s-2", timedelta(0), None),
        ("OPEN", "s-1", timedelta(0), "second-person"),
        ("OPEN", "s-2", timedelta(days=2, microseconds=-1), None),
        ("OPEN", "s-2", timedelta(days=2), "approval-expired"),
        ("EXPIRED", "s-2", timedelta(0), "approval-expired"),
        ("APPROVED", "s-2", timedelta(0), "approval-decided"),
        ("REFUSED", "s-1", timedelta(days=3), "approval-decided"),
    ],
)
def test_a_request_is_decided_once_in_time_by_another_subject(
    status: str, subject: str, after: timedelta, code: str | None
) -> None:
    asked = Approval(
        id=new_id(),
        action="REWRITE",
        subject_id=NOTE,
        case_id=None,
        lender_id=None,
        command={},
        seen={},
        status=status,
        asked_by="supervisor:s-1",
        asked_at=NOW,
        expires_at=NOW + timedelta(days=2),
        version=1,
    )
    if code is None:
        check_decidable(asked, subject, NOW + after)
        check_decidable(replace(asked, asked_by="compliance:s-3"), subject, NOW + after)
    else:
        with pytest.raises(Conflict) as refused:
            check_decidable(asked, subject, NOW + after)
        assert refused.value.code == code


async def test_another_command_or_another_fact_takes_the_place_of_the_open_request(runtime: Runtime) -> None:
    first = await ask(runtime)
    assert (await ask(runtime)).id == first.id
    second = await ask(runtime, "newer")
    assert await approve(runtime, second)
    third = await ask(runtime, "newest")
    async with runtime.database.transaction() as tx:
        await tx.session.execute(update(NOTES).values(text="otherwise"))
    fourth = await ask(runtime, "newest")
    found = {each.id: (each.status, each.ended_because) for each in await all_of(runtime)}
    assert found == {
        first.id: ("EXPIRED", "CHANGED"),
        second.id: ("APPROVED", None),
        third.id: ("EXPIRED", "CHANGED"),
        fourth.id: ("OPEN", None),
    }


async def test_what_cannot_be_carried_out_leaves_the_request_open(runtime: Runtime) -> None:
    asked = await ask(runtime, "impossible")
    with pytest.raises(Conflict, match="not possible"):
        await approve(runtime, asked)
    assert [(each.status, each.version) for each in await all_of(runtime)] == [("OPEN", 1)]
    assert await text_of(runtime) == "old"


async def test_a_subject_that_is_gone_is_not_found(runtime: Runtime) -> None:
    asked = await ask(runtime)
    async with runtime.database.transaction() as tx:
        await tx.session.execute(NOTES.delete())
    with pytest.raises(NotFound, match="no such note"):
        await approve(runtime, asked)


async def test_roles_that_the_action_does_not_name_neither_ask_nor_decide(runtime: Runtime) -> None:
    with pytest.raises(Forbidden):
        await ask(runtime, actor=person("o-1", Role.COMPLIANCE))
    asked = await ask(runtime)
    with pytest.raises(Forbidden):
        await approve(runtime, asked, person("o-1", Role.COMPLIANCE))


async def test_one_person_with_two_tokens_is_one_person(runtime: Runtime) -> None:
    asked = await ask(runtime)
    with pytest.raises(Conflict) as refused:
        await approve(runtime, asked, person("s-1", Role.SUPERVISOR, Role.ADMIN))
    assert refused.value.code == "second-person"


@pytest.mark.dialect
async def test_a_lender_asks_for_its_own_and_another_lender_sees_nothing(runtime: Runtime) -> None:
    own, other = (Actor("l-1", frozenset({Role.LENDER}), lender) for lender in ("lender-1", "lender-2"))
    with pytest.raises(NotFound):
        await ask(runtime, actor=other)
    asked = await ask(runtime, actor=own)
    assert (await ask(runtime, actor=own)).id == asked.id
    assert [each.id for each in await all_of(runtime, "lender-1")] == [asked.id]
    assert await all_of(runtime, "lender-2") == []
    assert await approve(runtime, asked)
    assert await text_of(runtime) == "new"


async def test_more_requests_than_a_page_expire_page_by_page(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.approvals.EXPIRED_AT_ONCE_MAX", 2)
    notes = [new_id() for _ in range(3)]
    async with runtime.database.transaction(now=NOW) as tx:
        for note in notes:
            await tx.session.execute(insert(NOTES).values(id=note, lender_id="lender-1", text="x"))
            await APPROVALS.ask(tx, REWRITE, note, reason="because", actor=FIRST)
    assert await APPROVALS.expire_due(runtime) == 0
    async with runtime.database.transaction() as tx:
        await tx.session.execute(update(TABLES.clock.clock).values(now=NOW + timedelta(days=30)))
    assert [await APPROVALS.expire_due(runtime) for _ in range(3)] == [2, 1, 0]
    assert {each.status for each in await all_of(runtime)} == {ApprovalStatus.EXPIRED}


async def test_who_asks_again_after_the_end_does_not_wait_for_the_timer(runtime: Runtime) -> None:
    first = await ask(runtime)
    again = await ask(runtime, now=NOW + timedelta(days=2))
    found = {each.id: (each.status, each.ended_because) for each in await all_of(runtime)}
    assert found == {first.id: ("EXPIRED", "TIME"), again.id: ("OPEN", None)}
