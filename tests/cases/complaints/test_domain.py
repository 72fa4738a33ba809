"""Complaints as pure decisions: a command, the law and the time come in; state, hold and event go out."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.cases.complaints.domain import (
    ANSWER_DAYS_WITHOUT_RULE,
    Complaint,
    ComplaintChannel,
    ComplaintKind,
    ComplaintOutcome,
    FileComplaint,
    ResolveComplaint,
    file,
    resolve,
)
from services.cases.complaints.tables import ComplaintRow
from services.cases.holds.domain import PlaceHold
from shared.errors import Conflict, Invalid
from shared.events.cases import ComplaintFiled, ComplaintResolved
from shared.law import HoldReason, HoldScope, load_packs

CASE, ID, HOLD = UUID(int=1), UUID(int=2), UUID(int=3)
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a Monday, in Taipei
DIGEST = "5a" * 32
PACKS = load_packs()


@dataclass(frozen=True)
class Place:
    id: UUID = CASE
    lender_id: str = "lender-1"
    country: str = "TW"
    region: str | None = None
    time_zone: str = "Asia/Taipei"


def command(filed_at: datetime | None = None) -> FileComplaint:
    return FileComplaint(CASE, ComplaintKind.HOURS, ComplaintChannel.LETTER, filed_at, DIGEST)


def filed(
    what: FileComplaint, *laws: str, case: Place | None = None, now: datetime = NOON
) -> tuple[Complaint, PlaceHold, ComplaintFiled]:
    packs = tuple(PACKS[each] for each in laws)
    place = case or Place()
    return file(what, complaint_id=ID, hold_id=HOLD, case=place, packs=packs, actor="compliance:o-1", now=now)


@pytest.mark.parametrize(
    ("filed_at", "laws", "due_on", "rule"),
    [
        (None, (), date(2026, 3, 2) + timedelta(days=ANSWER_DAYS_WITHOUT_RULE), "none"),
        (None, ("house",), date(2026, 3, 23), "house-complaint"),  # fifteen working days
        (NOON - timedelta(days=3), ("house",), date(2026, 3, 20), "house-complaint"),
        (datetime(2026, 2, 28, 16, tzinfo=UTC), (), date(2026, 3, 16), "none"),  # in Taipei it is the 1st of March
        (datetime(2026, 2, 28, 15, 59, tzinfo=UTC), (), date(2026, 3, 15), "none"),
    ],
)
def test_the_answer_is_due_by_the_law_of_the_debtors_day(filed_at, laws, due_on, rule):
    complaint, hold, event = filed(command(filed_at), *laws)
    assert (complaint.answer_due_on, complaint.due_by_rule) == (due_on, rule)
    assert complaint.answer_due_at == datetime(due_on.year, due_on.month, due_on.day, 16, tzinfo=UTC)
    assert hold.review_on == event.answer_due_on == due_on


def test_state_hold_and_event_say_the_same():
    complaint, hold, event = filed(command())
    assert (complaint.id, complaint.case_id, complaint.lender_id, complaint.hold_id) == (ID, CASE, "lender-1", HOLD)
    assert (complaint.kind, complaint.channel, complaint.proof_digest) == ("HOURS", "LETTER", DIGEST)
    assert (complaint.filed_at, complaint.filed_by, complaint.resolved_at) == (NOON, "compliance:o-1", None)
    assert (hold.case_id, hold.reason, hold.scope) == (CASE, HoldReason.COMPLAINT_PENDING, HoldScope.ALL)
    assert (event.case_id, event.complaint_id, event.hold_id, event.kind) == (CASE, ID, HOLD, "HOURS")


def test_the_hold_of_a_complaint_that_is_overdue_already_is_reviewed_tomorrow():
    complaint, hold, _ = filed(command(NOON - timedelta(days=200)))
    assert complaint.answer_due_on < NOON.date()
    assert hold.review_on == date(2026, 3, 3)


@pytest.mark.parametrize(("late", "is_taken"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_complaint_of_the_future_is_refused(late, is_taken):
    if is_taken:
        assert filed(command(NOON + late))[0].filed_at == NOON
    else:
        with pytest.raises(Invalid) as refused:
            filed(command(NOON + late))
        assert refused.value.code == "in-the-future"


@pytest.mark.parametrize("outcome", ComplaintOutcome)
@pytest.mark.parametrize(("late", "in_time"), [(timedelta(microseconds=-1), True), (timedelta(0), False)])
def test_an_answer_is_in_time_until_the_end_of_its_day(outcome, late, in_time):
    complaint, _, _ = filed(command())
    now = complaint.answer_due_at + late
    resolved, event = resolve(complaint, ResolveComplaint(ID, outcome, DIGEST), actor="compliance:o-2", now=now)
    assert resolved == replace(
        complaint, outcome=outcome, answer_digest=DIGEST, resolved_at=now, resolved_by="compliance:o-2"
    )
    assert event == ComplaintResolved(case_id=CASE, complaint_id=ID, outcome=outcome, in_time=in_time)


def test_a_complaint_is_resolved_once():
    answer = ResolveComplaint(ID, ComplaintOutcome.UPHELD, DIGEST)
    resolved, _ = resolve(filed(command())[0], answer, actor="compliance:o-1", now=NOON)
    with pytest.raises(Conflict) as refused:
        resolve(resolved, answer, actor="compliance:o-1", now=NOON)
    assert refused.value.code == "complaint-resolved"


def test_a_row_holds_the_whole_state():
    complaint, _, _ = filed(command())
    row = ComplaintRow.of(complaint)
    assert row.state == complaint
    resolved, _ = resolve(
        complaint, ResolveComplaint(ID, ComplaintOutcome.UPHELD, DIGEST), actor="compliance:o-1", now=NOON
    )
    row.become(resolved)
    assert row.state == resolved
