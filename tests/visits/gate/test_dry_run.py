"""What a dry run answers: the earliest time is that of the very step which was asked about."""

from datetime import datetime

from services.visits.gate.dryrun import judge_acts
from shared.ids import new_id
from shared.law import Facts, Step, shipped
from shared.law.stories import load_stories

UK = next(of_pack.sound for of_pack in load_stories() if of_pack.pack == "uk")


def asked(step: Step, **changes):
    [view] = judge_acts(shipped(), step, [(new_id(), Facts.model_validate({**UK, **changes}))])
    return view


def test_without_a_notice_a_visit_may_be_planned_at_once_and_never_dispatched():
    planned, dispatched = asked(Step.PLAN, notices={}), asked(Step.DISPATCH, notices={})
    assert planned.decision["verdict"] != "block"
    assert (planned.earliest_lawful_at, planned.because) == (datetime.fromisoformat("2026-03-02T10:00:00+00:00"), None)
    assert dispatched.decision["verdict"] == "block"
    assert dispatched.earliest_lawful_at is None
    assert dispatched.because.rule_id == "uk-visit-notice"


def test_the_reason_speaks_of_a_moment_at_which_it_stands_in_the_way():
    holiday = asked(Step.PLAN, at="2026-04-03T10:00:00+01:00")
    assert holiday.earliest_lawful_at == datetime.fromisoformat("2026-04-04T08:00:00+01:00")
    assert holiday.because.rule_id == "house-holiday"
    assert holiday.because.at == datetime.fromisoformat("2026-04-03T10:00:00+01:00")
    assert "2026-04-03 is a public holiday" in holiday.because.reason["en"]
