"""What visits learns of a case: in any order of events, the row says the same."""

from itertools import permutations

from services.visits.caseload.tables import CaseloadRow
from shared.events import cases
from shared.events.values import Amount
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
