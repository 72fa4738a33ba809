"""The story of a case: every event type has its sentence, in both languages, by the debtor's clock."""

import re
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from services.audit.story.sentences import SENTENCES, tell
from services.audit.story.words import CODES, value
from services.audit.trail.entries import OWN_TYPES
from services.followup.promises.domain import PromiseStatus
from services.followup.promises.judging import ACCOUNTS_RECALLED
from services.followup.promises.schemas import CancelPromiseBody
from shared.auth import Role
from shared.events.envelope import Event
from shared.events.followup import PromiseCured, PromiseReopened
from shared.events.registry import EVENTS
from shared.events.schemas import sample_of
from shared.ids import new_id
from shared.law import terms
from tests.audit.desk import LENDER, Desk, opened

TAIPEI = ZoneInfo("Asia/Taipei")
CJK = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("kind", [*EVENTS, *OWN_TYPES])
def test_every_event_type_has_a_sentence(kind: str) -> None:
    assert kind in SENTENCES, f"{kind} has no sentence: give it one in services/audit/story/sentences.py"
    data = sample_of(EVENTS[kind]) if kind in EVENTS else {"aggregate": "cases:1", "from_version": 2, "to_version": 3}
    zh, en = tell(kind, data, "zh", TAIPEI), tell(kind, data, "en", TAIPEI)
    assert CJK.search(zh)
    assert not CJK.search(en)
    for text in (zh, en):
        assert "{" not in text
        assert "None" not in text
    if kind in EVENTS:
        named = re.findall(r"\{(\w+)\}", SENTENCES[kind].zh + "".join(zh for _, zh, _ in SENTENCES[kind].more))
        assert set(named) <= EVENTS[kind].model_fields.keys(), "a sentence names a field that its event does not have"
        assert set(re.findall(r"\{(\w+)\}", SENTENCES[kind].en)) == set(re.findall(r"\{(\w+)\}", SENTENCES[kind].zh))


@pytest.mark.parametrize("kind", [terms.Disposition, terms.PersonMet, terms.HoldReason, terms.HoldScope, terms.Step])
def test_every_code_of_the_closed_lists_has_words(kind: Any) -> None:
    assert [code for code in kind if code not in CODES] == []
    assert [code for code in (*terms.Verdict, *terms.VisitPurpose, *Role) if code not in CODES] == []


@pytest.mark.parametrize("event", [PromiseCured, PromiseReopened])
def test_a_promise_has_words_of_its_own_for_its_status(event: type[Event]) -> None:
    told = {status: tell(event.type, {"status": status}, "en", TAIPEI) for status in PromiseStatus}
    assert [status for status, text in told.items() if status in text] == []
    assert "is now active:" in told[PromiseStatus.ACTIVE]
    assert "進行中" in tell(event.type, {"status": "ACTIVE"}, "zh", TAIPEI)
    assert value("ACTIVE", "en", TAIPEI) == "cleared"  # of a collector


def test_every_reason_of_a_promise_that_ends_has_words() -> None:
    reasons = get_args(CancelPromiseBody.model_fields["reason"].annotation)
    assert [reason for reason in (*reasons, ACCOUNTS_RECALLED) if reason not in CODES] == []


def test_values_are_written_for_readers() -> None:
    assert value({"amount": "1250000.50", "currency": "TWD"}, "en", TAIPEI) == "TWD 1,250,000.50"
    assert value("2026-03-02T04:00:00Z", "zh", TAIPEI) == "2026-03-02 12:00"
    assert value([], "zh", TAIPEI) == value(None, "en", TAIPEI) == "—"
    assert value(False, "zh", TAIPEI) == "否"
    assert value("NEW_CODE", "en", TAIPEI) == "NEW_CODE"
    assert tell("doorstep.cases.case-held.v1", {"reason": "{x}"}, "en", TAIPEI).endswith("{x}; to be reviewed by —.")


async def test_the_story_of_a_case_in_order(desk: Desk, case: dict[str, Any]) -> None:
    path = f"/cases/{case['case']}/story"
    story = await desk.get(path)
    assert story["time_zone"] == "Asia/Taipei"
    assert story["verdict"]["en"] == "7 of 7, nothing missing."
    lines = story["items"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {line["at"][-6:] for line in lines} == {"+08:00"}
    assert [(line["log"], line["index"]) for line in lines] == [(LENDER, n) for n in range(7)]
    assert lines[2]["en"] == "The gate judged the step dispatch: block; decided by tw-hours; packs tw: 1."
    assert lines[2]["zh"].startswith("於派遣階段審核，結論：攔阻")
    [rule] = lines[2]["rules"]
    assert rule["id"] == "tw-hours"
    assert CJK.search(rule["zh"])
    assert not CJK.search(rule["en"])
    assert lines[4]["en"].startswith("The visit was completed (2026-03-02 12:00 to 2026-03-02 12:00): promise to pay")
    assert lines[0]["who"] == {"kind": "supervisor", "ref": "s-1", "zh": "督導 s-1", "en": "supervisor s-1"}


@pytest.mark.dialect
async def test_who_looked_is_part_of_the_story(desk: Desk, case: dict[str, Any]) -> None:
    await desk.get(f"/cases/{case['case']}/story")
    await desk.settle()
    story = await desk.get(f"/cases/{case['case']}/story")
    last = story["items"][-1]
    assert (last["log"], last["who"]["en"]) == ("access", "officer officer-1")
    assert "a case's story" in last["en"]
    assert datetime.fromisoformat(last["at"]) <= datetime.now(UTC)


@pytest.mark.dialect
async def test_pages_of_a_story(desk: Desk, case: dict[str, Any]) -> None:
    path, seen, cursor = f"/cases/{case['case']}/story", [], None
    while True:
        page = await desk.get(path, limit=3, **({"cursor": cursor} if cursor else {}))
        assert (page["verdict"] is None) is (cursor is not None)
        seen += [line["index"] for line in page["items"]]
        await desk.settle()
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(range(7))
    assert (await desk.get(path, 422, cursor="WyJhIl0"))["title"] == "cursor"
    assert (await desk.get(f"/cases/{new_id()}/story", 404))["title"] == "case-not-found"


@pytest.mark.parametrize(("role", "status"), [(Role.COLLECTOR, 403), (Role.SUPERVISOR, 403), (Role.LENDER, 404)])
async def test_a_story_is_for_officers(desk: Desk, case: dict[str, Any], role: Role, status: int) -> None:
    await desk.ask(f"/cases/{case['case']}/story", role, status)


@pytest.mark.dialect
async def test_a_case_of_another_zone_is_told_by_its_own_clock(desk: Desk) -> None:
    case_id = new_id()
    event = opened(case_id, new_id()).model_copy(update={"time_zone": "America/New_York"})
    await desk.hear(event, subject=case_id)
    await desk.settle()
    [line] = (await desk.get(f"/cases/{case_id}/story"))["items"]
    assert line["at"].endswith("-05:00")
