"""A promise is judged again: what followed from its earlier judgement is withdrawn."""

from datetime import timedelta

import pytest

from services.visits.caseload.tables import CaseloadRow
from shared.events import cases, followup
from shared.events.values import Amount, Instalment
from shared.ids import new_id
from tests.visits.conftest import DIGEST, MONDAY, taipei

TWD = Amount(amount="500", currency="TWD")
SETTLED = {"promised": TWD, "paid": TWD, "on": MONDAY, "judgement": 2}


def made(case_id, promise_id):
    instalments = [Instalment(due_on=MONDAY, amount=TWD)]
    return followup.PromiseMade(case_id=case_id, promise_id=promise_id, total=TWD, instalments=instalments)


def broken(case_id, promise_id):
    settled = SETTLED | {"case_id": case_id, "promise_id": promise_id, "judgement": 1}
    wish = followup.RevisitRequested(
        case_id=case_id,
        request_id=new_id(),
        reason="PROMISE_BROKEN",
        purpose="DEMAND",
        not_before=MONDAY,
        promise_id=promise_id,
    )
    return followup.PromiseBroken(**settled), wish


async def row_of(system, case_id):
    async with system.runtime.database.reading() as tx:
        return await tx.session.get_one(CaseloadRow, case_id)


@pytest.mark.dialect
async def test_a_cured_promise_takes_off_the_visit_that_it_asked_for(system):
    case_id, promise_id, team = await system.case(), new_id(), await system.team()
    await system.hear(made(case_id, promise_id), *broken(case_id, promise_id))
    visit = await system.visit(case_id, team)
    assert (await row_of(system, case_id)).wanted
    cured = followup.PromiseCured(case_id=case_id, promise_id=promise_id, status="KEPT", **SETTLED)
    await system.hear(cured, cured)
    shown = await system.get(f"/visits/{visit}")
    assert (shown["status"], shown["disposition"]) == ("CANCELLED", "CANCELLED_PAID")
    assert not (await row_of(system, case_id)).wanted
    assert (await system.types()).count("visit-cancelled") == 1


async def test_a_visit_that_another_reason_asks_for_stays(system):
    case_id, promise_id, team = await system.case(), new_id(), await system.team()
    await system.hear(made(case_id, promise_id), *broken(case_id, promise_id))
    await system.hear(cases.CaseReferred(case_id=case_id, referral_id=new_id(), rule_id="large", inputs={}))
    visit = await system.visit(case_id, team)
    await system.hear(followup.PromiseCured(case_id=case_id, promise_id=promise_id, status="KEPT", **SETTLED))
    assert (await system.get(f"/visits/{visit}"))["status"] == "PLANNED"


@pytest.mark.parametrize("again", [followup.PromiseCured, followup.PromiseReopened])
async def test_a_promise_that_runs_again_stops_demands_again_and_its_past_is_kept(system, again):
    case_id, promise_id, team = await system.case(), new_id(), await system.team()
    ten = taipei(MONDAY, 10)
    await system.hear(made(case_id, promise_id), at=ten - timedelta(hours=3))
    await system.hear(broken(case_id, promise_id)[0], at=ten - timedelta(hours=2))
    running = again(case_id=case_id, promise_id=promise_id, status="ACTIVE", **SETTLED)
    await system.hear(running, at=ten - timedelta(hours=1))
    visit = await system.visit(case_id, team)
    refused = await system.post(f"/visits/{visit}/dispatch", expect=409)
    assert refused["rules"][0]["rule_id"] == "house-hold"
    holds = (await row_of(system, case_id)).holds
    assert sorted("until" in held for held in holds.values()) == [False, True]
    kept = followup.PromiseKept(case_id=case_id, promise_id=promise_id, **SETTLED)
    await system.hear(kept, at=ten - timedelta(minutes=1))
    await system.post(f"/visits/{visit}/dispatch")


@pytest.mark.parametrize("first", ["asked", "wanted"])
async def test_a_follow_up_that_the_debtor_asked_for_is_an_agreed_visit_until_that_is_withdrawn(system, first):
    case_id, consent_id = await system.case(), new_id()
    asked = cases.ConsentRecorded(
        case_id=case_id,
        consent_id=consent_id,
        scope="DEBTOR_REQUEST",
        channel="IN_WRITING",
        given_at=taipei(MONDAY, 8),
        proof_digest=DIGEST,
    )
    wish = followup.RevisitRequested(
        case_id=case_id, request_id=new_id(), reason="PROMISE_PARTIALLY_KEPT", purpose="FOLLOW_UP", not_before=MONDAY
    )
    await system.hear(*((asked, wish) if first == "asked" else (wish, asked)))
    assert (await row_of(system, case_id)).purpose == "AGREED_REVISIT"
    back = cases.ConsentWithdrawn(
        case_id=case_id, consent_id=consent_id, scope="DEBTOR_REQUEST", withdrawn_at=taipei(MONDAY, 9)
    )
    await system.hear(back)
    assert (await row_of(system, case_id)).purpose == "FOLLOW_UP"
