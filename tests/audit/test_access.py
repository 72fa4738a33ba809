"""Subjects that real issuers give: each act of such a person makes an entry, and compliance finds it by the subject."""

import pytest

from services.audit.search.domain import ACTOR_KINDS
from shared.auth import Role
from shared.events.envelope import ActorRef
from tests.audit import desk as desks
from tests.audit.desk import LENDER, Desk
from tests.one_service import bearer

SUBJECTS = (
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "google-oauth2|103547991597142817347",
    "ann.lee+risk@bank.example",
    "CN=Ann Lee,OU=Risk,O=Bank",
    "urn:example:person:7",
    "https://issuer.example/people?id=7&x=1#me",
    "admin:not-really",
    "李安 (風控)",
    'Zoë O\'Neill "the officer"',
    "100%_\\",
    "a/b;c",
    "=1+1",
    "x" * 200,
    "😀" * 200,
)


@pytest.mark.dialect
async def test_whatever_subject_passes_the_door_makes_an_entry_that_is_found_by_it(desk: Desk) -> None:
    for subject in SUBJECTS:
        officer = bearer(desk.runtime, Role.COMPLIANCE, subject=subject)
        answer = await desk.client.get("/audit/v1/entries", params={"outcome": subject[:1]}, headers=officer)
        assert answer.status_code in (200, 422), answer.text
        answer = await desk.client.get("/audit/v1/entries", headers=officer)
        assert answer.status_code == 200, answer.text
    await desk.settle()
    assert (await desk.get("/entries", type="trail.rejected"))["items"] == []
    for subject in SUBJECTS:
        for spelled in (subject, f"compliance:{subject}"):
            if spelled == "admin:not-really":  # begins as `role:id` does, so it is read as one
                continue
            found = (await desk.get("/entries", actor=spelled, log="access"))["items"]
            assert found, spelled
            assert {(each["leaf"]["actor"]["kind"], each["leaf"]["actor"]["ref"]) for each in found} == {
                ("compliance", subject)
            }
    lines = (await desk.ask("/entries.ndjson", actor="auth0|5f7c8ec7c33c6c004bbafe82")).text.splitlines()
    assert lines
    assert all('"ref":"auth0|5f7c8ec7c33c6c004bbafe82"' in line for line in lines)


@pytest.mark.dialect
async def test_the_story_and_the_search_name_the_subject_as_the_issuer_spells_it(desk: Desk) -> None:
    case = desks.new_id()
    for kind, subject in zip(("supervisor", "lender", "service"), SUBJECTS[3:6], strict=True):
        await desk.hear(desks.held(case), subject=case, actor=ActorRef(kind, subject))
    await desk.settle()
    told = (await desk.get(f"/cases/{case}/story"))["items"]
    assert [line["who"]["ref"] for line in told] == list(SUBJECTS[3:6])
    assert told[0]["who"]["en"] == f"supervisor {SUBJECTS[3]}"
    for subject in SUBJECTS[3:6]:
        assert len((await desk.get("/entries", actor=subject, log=LENDER))["items"]) == 1
    recorded = await desk.accesses()
    assert recorded[-1]["data"]["acted_by"] == SUBJECTS[5]


async def test_a_search_for_an_actor_that_no_token_can_name_is_refused(desk: Desk) -> None:
    for actor in ("", "a\x00b", "a\nb", "x" * 256):
        assert (await desk.get("/entries", expect=422, actor=actor))["status"] == 422
    assert (await desk.get("/entries", actor="nobody has this id"))["items"] == []


def test_every_role_is_a_kind_of_actor() -> None:
    assert set(ACTOR_KINDS) == {*map(str, Role), "operator", "system"}
