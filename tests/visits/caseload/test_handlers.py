"""What visits learns of a case: in any order of events, the row says the same."""

from itertools import permutations

from services.visits.caseload.tables import CaseloadRow
from shared.events import cases, followup
from shared.events.values import Amount, Instalment
from shared.ids import new_id
from tests.visits.conftest import MONDAY, System, taipei

FACTS = ("opened", "wanted", "address_verified", "hazard", "balance_minor", "holds", "notices", "lender_id")


async def facts_of(system: System, case_id) -> dict:
    async with system.runtime.database.reading() as tx:
        row = await tx.session.get(CaseloadRow, case_id)
        return {name: getattr(row, name) for name in FACTS}


def of_a_case(case_id, hold_id) -> list:
    """Facts about a case, each an event of its own."""
    opened = cases.CaseOpened(
        case_id=case_id, debtor_id=new_id(), lender_id="lender-1", placement_id=new_id(), jurisdiction="tw",
        country="TW", time_zone="Asia/Taipei", product="CREDIT_CARD", balance=Amount(amount="900", currency="TWD"),
        days_past_due=60, bucket="M2", accounts=1, prior_notice_at=taipei(MONDAY, 8),
    )  # fmt: skip
    referred = cases.CaseReferred(case_id=case_id, referral_id=new_id(), rule_id="large", inputs={})
    checked = cases.AddressVerified(case_id=case_id, address_id=new_id(), verified=True, hazard=False)
    held = cases.CaseHeld(case_id=case_id, hold_id=hold_id, reason="DISPUTE_PENDING", scope="visit", review_on=MONDAY)
    return [opened, referred, checked, held]


async def test_facts_of_a_case_that_is_not_known_yet_are_kept_until_it_is(system: System) -> None:
    hold_id, found = new_id(), []
    for order in permutations(range(4)):
        case_id = new_id()
        events = of_a_case(case_id, hold_id)
        for number in order:
            await system.hear(events[number])
        found.append(await facts_of(system, case_id))
    assert all(each == found[0] for each in found)
    assert (found[0]["opened"], found[0]["wanted"], found[0]["balance_minor"]) == (True, True, 90_000)
    assert list(found[0]["holds"]) == [str(hold_id)]


async def test_a_released_hold_stays_on_record_with_its_end(system: System) -> None:
    """A phone may still report what was done under it."""
    case_id, hold_id = new_id(), new_id()
    await system.hear(*of_a_case(case_id, hold_id))
    released = cases.CaseReleased(case_id=case_id, hold_id=hold_id, reason="DISPUTE_PENDING")
    await system.hear(released, at=taipei(MONDAY, 11))
    [hold] = (await facts_of(system, case_id))["holds"].values()
    assert hold["until"] == taipei(MONDAY, 11).isoformat()


async def test_a_promise_that_is_judged_again_keeps_the_end_of_its_hold(system: System) -> None:
    """Between the two judgements no promise ran: a demand of that time was lawful."""
    case_id, money = new_id(), Amount(amount="1", currency="TWD")
    promise = {"case_id": case_id, "promise_id": new_id()}
    settled = promise | {"promised": money, "paid": money, "on": MONDAY}
    due = [Instalment(due_on=MONDAY, amount=money)]
    for hour, event in (
        (8, followup.PromiseMade(**promise, instalments=due, total=money)),
        (9, followup.PromiseBroken(**settled, judgement=1)),
        (11, followup.PromiseCured(**settled, status="KEPT", judgement=2)),
    ):
        await system.hear(event, at=taipei(MONDAY, hour))
    [hold] = (await facts_of(system, case_id))["holds"].values()
    assert (hold["from"], hold["until"]) == (taipei(MONDAY, 8).isoformat(), taipei(MONDAY, 9).isoformat())


async def test_a_case_that_is_paid_and_reopened_keeps_the_end_of_an_earlier_recall(system: System) -> None:
    case_id = new_id()
    await system.hear(*of_a_case(case_id, new_id())[:1])
    for hour, event in (
        (8, cases.CaseRecalled(case_id=case_id)),
        (9, cases.CaseReopened(case_id=case_id, reason="RECALLED", cause="STATEMENT")),
        (10, cases.CaseClosed(case_id=case_id, reason="PAID")),
        (11, cases.CaseReopened(case_id=case_id, reason="PAID", cause="MONEY")),
    ):
        await system.hear(event, at=taipei(MONDAY, hour))
    [hold] = (await facts_of(system, case_id))["holds"].values()
    assert (hold["reason"], hold["until"]) == ("LENDER_RECALL", taipei(MONDAY, 9).isoformat())
