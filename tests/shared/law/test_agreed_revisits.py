"""A visit that the debtor agreed to needs that agreement on record, and a refusal says how it is recorded."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.law import Facts, Step, evaluate, shipped
from shared.law.facts import Grant
from shared.law.terms import VisitPurpose

TEN = datetime(2026, 3, 2, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def finding(grants: tuple[Grant, ...], purpose: VisitPurpose = VisitPurpose.AGREED_REVISIT, step: Step = Step.PLAN):
    facts = Facts(
        jurisdiction="tw",
        country="TW",
        time_zone="Asia/Taipei",
        at=TEN,
        ends_at=TEN + HOUR,
        purpose=purpose,
        grants=grants,
    )
    decision = evaluate(shipped().packs_of(facts), step, facts)
    return next(each for each in decision.findings if each.rule_id == "house-agreed")


@pytest.mark.parametrize(
    ("scope", "until", "verdict"),
    [
        (None, None, "BLOCK"),
        ("HOURS", None, "BLOCK"),
        ("DEBTOR_REQUEST", None, "PASS"),
        ("DEBTOR_REQUEST", TEN + HOUR, "PASS"),
        ("DEBTOR_REQUEST", TEN + HOUR / 2, "BLOCK"),
        ("DEBTOR_REQUEST", TEN - HOUR, "BLOCK"),
    ],
)
@pytest.mark.parametrize("step", [Step.PLAN, Step.DISPATCH, Step.CHECK_IN])
def test_the_agreement_holds_for_the_whole_visit(scope, until, verdict, step):
    grants = (Grant(scope=scope, evidence="c-1", until=until),) if scope else ()
    found = finding(grants, step=step)
    assert found.verdict.value.upper() == verdict
    if verdict == "BLOCK":
        assert "DEBTOR_REQUEST" in found.remedy[0]
        assert "DEBTOR_REQUEST" in found.remedy[1]


@pytest.mark.parametrize("purpose", [each for each in VisitPurpose if each is not VisitPurpose.AGREED_REVISIT])
def test_visits_of_other_purposes_need_no_agreement(purpose):
    assert finding((), purpose).verdict.value.upper() == "PASS"
