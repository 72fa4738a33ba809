"""What followup does on the events of the others, through its real consumer, timer, database and HTTP."""

import asyncio
import json
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.followup.promises.domain import PromiseStatus
from services.followup.promises.jobs import judge_due_promises
from services.followup.promises.usecases import lock_case
from services.followup.settings import FollowupSettings
from services.followup.worker import SERVICE
from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, conserved, migrated, noon, paid, promised, running, taken_back
from tests.searches import search

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=number) for number in range(1, 5))
NEXT_WEEK = MONDAY + timedelta(days=7)


@pytest.mark.dialect
async def test_a_visit_without_a_promise_makes_none(system):
    await system.hear(promised(new_id()))
    assert await system.types() == []


async def test_a_promise_is_made_once_however_often_it_is_told(system):
    case, promise = new_id(), new_id()
    told = [promised(case, (FRIDAY, "3000"), promise_id=promise) for _ in range(2)]
    await system.hear(*told)
    await system.hear(promised(case, (FRIDAY, "3000"), promise_id=promise))
    [(kind, headers, payload)] = await system.published()
    assert (kind, headers["ce_partitionkey"], headers["ce_lenderid"]) == ("promise-made", str(case), "lender-1")
    assert (headers["ce_subject"], headers["ce_sequence"]) == (str(promise), "1")
    assert headers["ce_actor"] == "supervisor:s-1"
    assert json.loads(payload)["total"] == {"amount": "3000", "currency": "TWD"}


@pytest.mark.dialect
async def test_cash_of_the_visit_goes_to_its_promise_as_a_down_payment_only(system):
    visits = [promised(new_id(), (FRIDAY, "3000")) for _ in range(3)]
    down = visits[1].promise.model_copy(update={"down_payment": True})
    visits[1] = visits[1].model_copy(update={"promise": down})
    await system.hear(*visits)
    for visit, taken_at in zip(visits, (visits[0].visit_id, visits[1].visit_id, new_id()), strict=True):
        await system.hear(paid(visit.case_id, "3000", MONDAY, provisional=True, visit_id=taken_at))
    kept = (await system.get("/promises", status="KEPT"))["items"]
    assert [each["case_id"] for each in kept] == [str(visit.case_id) for visit in visits[1:]]


@pytest.mark.dialect
async def test_full_payment_keeps_a_promise_at_once(system):
    case = new_id()
    await system.hear(promised(case, (FRIDAY, "3000"), (NEXT_WEEK, "2000")))
    await system.hear(paid(case, "4999", TUESDAY))
    assert await system.types() == ["promise-made"]
    await system.hear(paid(case, "500", WEDNESDAY))
    assert await system.types() == ["promise-made", "promise-kept"]
    totals = await system.totals()
    assert totals["promises"] | {"made": 1, "kept": 1, "open": 0} == totals["promises"]
    assert totals["money"] == {
        "TWD": {"promised": "5000", "received": "5499", "applied_to_promises": "5000", "unapplied": "499"}
    }
    assert (totals["kept_ratio"], totals["kept_ratio_by_amount"]) == ("1.0000", {"TWD": "1.0000"})


async def test_a_payment_counts_once_by_its_id(system):
    case, payment = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000")))
    await system.hear(paid(case, "600", TUESDAY, payment_id=payment, provisional=True))
    await system.hear(paid(case, "600", TUESDAY, payment_id=payment), paid(case, "600", TUESDAY, payment_id=payment))
    totals = await system.totals()
    assert totals["promises"]["open"] == 1
    assert totals["money"]["TWD"]["received"] == totals["money"]["TWD"]["applied_to_promises"] == "600"


async def test_money_of_another_currency_or_of_an_earlier_day_is_not_applied(system):
    case = new_id()
    await system.hear(paid(case, "1000", MONDAY - timedelta(days=1)))
    await system.hear(promised(case, (FRIDAY, "1000")))
    await system.hear(paid(case, "1000", TUESDAY, currency="USD"))
    totals = await system.totals()
    assert [totals["money"][code]["unapplied"] for code in ("TWD", "USD")] == ["1000", "1000"]
    assert totals["promises"]["open"] == 1


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("money", "ending", "purpose"),
    [
        ("0", "promise-broken", "DEMAND"),
        ("949", "promise-partially-kept", "FOLLOW_UP"),
        ("950", "promise-kept", None),
    ],
)
async def test_at_the_debtors_midnight_after_grace_a_promise_is_judged(system, money, ending, purpose):
    case = new_id()
    await system.hear(promised(case, (FRIDAY, "1000")))
    if money != "0":
        await system.hear(paid(case, money, FRIDAY))
    midnight = noon(FRIDAY + timedelta(days=2)) + timedelta(hours=12)
    assert await system.settle_at(midnight - timedelta(seconds=1)) == 0
    assert await system.settle_at(midnight) == 1
    assert await system.settle_at(midnight + timedelta(days=1)) == 0
    published = await system.published()
    revisits = [json.loads(payload) for kind, _, payload in published if kind == "revisit-requested"]
    missed = [] if purpose is None else ["instalment-missed"]
    assert [kind for kind, _, _ in published][: 2 + len(missed)] == ["promise-made", *missed, ending]
    assert published[1][1]["ce_actor"] == "system:doorstep"
    if purpose is None:
        assert not revisits
        return
    [revisit] = revisits
    status = "BROKEN" if ending == "promise-broken" else "PARTIALLY_KEPT"
    assert (revisit["reason"], revisit["purpose"]) == (f"PROMISE_{status}", purpose)
    assert revisit["not_before"] == str(FRIDAY + timedelta(days=4)), "the day after the one that begins at midnight"
    headers = published[3][1]
    assert (headers["ce_partitionkey"], headers["ce_subject"]) == (str(case), str(case))
    assert headers["ce_lenderid"] == "lender-1"


@pytest.mark.dialect
async def test_money_after_grace_does_not_count_even_if_the_timer_is_late(system):
    case = new_id()
    await system.hear(promised(case, (TUESDAY, "1000")))
    async with system.runtime.database.transaction() as tx:
        await system.runtime.clock.move(tx, noon(FRIDAY))
    await system.hear(paid(case, "1000", FRIDAY))
    assert await system.types() == ["promise-made", "instalment-missed", "promise-broken", "revisit-requested"]
    assert (await system.totals())["money"]["TWD"]["unapplied"] == "1000"


@pytest.mark.dialect
async def test_money_in_time_that_is_reported_late_cures_a_broken_promise(system):
    case, promise = new_id(), new_id()
    await system.hear(promised(case, (TUESDAY, "1000"), promise_id=promise))
    await system.settle_at(noon(FRIDAY))
    assert (await system.totals())["promises"]["broken"] == 1
    await system.hear(paid(case, "400", THURSDAY))
    shown = await system.get(f"/promises/{promise}")
    assert (shown["status"], shown["paid"]["amount"], shown["judgement"]) == ("PARTIALLY_KEPT", "400", 2)
    await system.hear(paid(case, "600", TUESDAY))
    assert (await system.types())[1:] == [
        "instalment-missed", "promise-broken", "revisit-requested",
        "promise-partially-kept", "revisit-requested",
        "promise-cured",
    ]  # fmt: skip
    _, headers, payload = (await system.published())[-1]
    cured = json.loads(payload)
    assert (cured["status"], cured["judgement"], headers["ce_actor"]) == ("KEPT", 3, "system:doorstep")
    totals = await system.totals()
    assert (totals["promises"]["kept"], totals["kept_ratio"], totals["money"]["TWD"]["unapplied"]) == (1, "1.0000", "0")


@pytest.mark.dialect
async def test_a_payment_that_is_taken_back_opens_the_promise_that_it_kept(system):
    case, promise, payment = new_id(), new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    await system.hear(paid(case, "1000", TUESDAY, payment_id=payment))
    bounced = taken_back(case, "1000", TUESDAY, payment_id=payment)
    await system.hear(bounced, bounced)
    shown = await system.get(f"/promises/{promise}")
    assert (shown["status"], shown["paid"]["amount"], shown["payments"]) == ("ACTIVE", "0", [])
    await system.settle_at(noon(NEXT_WEEK + timedelta(days=7)))
    assert (await system.types())[1:] == [
        "promise-kept", "promise-reopened", "instalment-missed", "promise-broken", "revisit-requested",
    ]  # fmt: skip
    totals = await system.totals()
    assert totals["money"]["TWD"] == {
        "promised": "1000", "received": "0", "applied_to_promises": "0", "unapplied": "0",
    }  # fmt: skip


async def test_a_payment_that_is_taken_back_before_it_is_heard_of_never_counts(system):
    case, promise, payment = new_id(), new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=promise))
    await system.hear(taken_back(case, "999", TUESDAY, payment_id=payment))
    await system.hear(paid(case, "1000", TUESDAY, payment_id=payment))
    assert (await system.get(f"/promises/{promise}"))["paid"]["amount"] == "1"


async def test_a_receipt_that_the_lender_confirms_with_another_sum_counts_with_that_sum_and_its_own_day(system):
    case, promise, payment = new_id(), new_id(), new_id()
    await system.hear(promised(case, (TUESDAY, "500"), promise_id=promise))
    await system.hear(paid(case, "500", TUESDAY, payment_id=payment, provisional=True))
    await system.hear(paid(case, "480", FRIDAY, payment_id=payment))
    shown = await system.get(f"/promises/{promise}")
    assert (shown["status"], shown["payments"][0]["received_on"]) == ("ACTIVE", str(TUESDAY))
    await system.settle_at(noon(NEXT_WEEK))
    assert (await system.get(f"/promises/{promise}"))["status"] == "KEPT", "480 is within the tolerance"


async def test_an_arrangement_is_judged_by_all_that_was_due_until_each_day(system):
    case, promise = new_id(), new_id()
    await system.hear(
        promised(
            case, (TUESDAY, "1000"), (NEXT_WEEK, "1000"), (NEXT_WEEK + timedelta(days=7), "1000"), promise_id=promise
        )
    )
    await system.hear(paid(case, "500", TUESDAY))
    await system.settle_at(noon(FRIDAY))
    kinds = await system.types()
    assert kinds[1:] == ["instalment-missed", "promise-partially-kept", "revisit-requested"]
    missed = json.loads((await system.published())[1][2])
    assert (missed["instalment"], missed["due"]["amount"], missed["paid"]["amount"]) == (1, "1000", "500")


@pytest.mark.dialect
async def test_a_newer_promise_supersedes_the_active_one(system):
    case, first, second = new_id(), new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "1000"), promise_id=first))
    await system.hear(paid(case, "400", TUESDAY))
    await system.hear(promised(case, (NEXT_WEEK, "600"), day=WEDNESDAY, promise_id=second))
    await system.hear(paid(case, "600", THURSDAY))
    kinds = {headers["ce_subject"]: kind for kind, headers, _ in await system.published()}
    assert kinds == {str(first): "promise-superseded", str(second): "promise-kept"}
    totals = await system.totals()
    assert (totals["promises"]["superseded"], totals["promises"]["kept"]) == (1, 1)
    assert totals["money"]["TWD"]["applied_to_promises"] == "1000"


async def test_a_visit_that_is_told_late_does_not_undo_a_newer_promise(system):
    case, early, late = new_id(), new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "600"), day=TUESDAY, promise_id=late))
    await system.hear(promised(case, (FRIDAY, "900"), day=MONDAY, promise_id=early))
    listed = {item["id"]: item["status"] for item in (await system.get("/promises"))["items"]}
    assert listed == {str(early): "SUPERSEDED", str(late): "ACTIVE"}


@pytest.mark.dialect
async def test_a_promise_whose_grace_was_over_is_judged_before_the_next_one_is_made(system):
    case = new_id()
    await system.hear(promised(case, (MONDAY, "600")))
    async with system.runtime.database.transaction() as tx:
        await system.runtime.clock.move(tx, noon(FRIDAY))
    await system.hear(promised(case, (NEXT_WEEK, "600"), day=FRIDAY))
    totals = await system.totals()
    assert (totals["promises"]["broken"], totals["promises"]["open"], totals["promises"]["superseded"]) == (1, 1, 0)


async def test_many_promises_are_judged_in_bounded_pieces(system):
    cases = [new_id() for _ in range(450)]
    for start in range(0, 450, 50):
        await system.hear(*(promised(case, (TUESDAY, "10")) for case in cases[start : start + 50]))
    assert await system.settle_at(noon(MONDAY)) == 0
    assert await system.settle_at(noon(NEXT_WEEK)) == 450
    totals = await system.totals()
    assert (totals["promises"]["broken"], totals["kept_ratio"]) == (450, "0.0000")
    assert (await system.types()).count("revisit-requested") == 450


@pytest.mark.servers
async def test_the_timer_passes_over_cases_that_somebody_else_holds(on_postgresql):
    async with running(on_postgresql) as system:
        held, free = new_id(), new_id()
        await system.hear(promised(held, (TUESDAY, "10")), promised(free, (TUESDAY, "10")))
        async with system.runtime.database.transaction() as tx:
            await system.runtime.clock.move(tx, noon(NEXT_WEEK))
        async with system.runtime.database.transaction() as tx:
            await lock_case(tx, held, None)
            assert await judge_due_promises(system.runtime) == 1
            waiting = asyncio.create_task(judge_due_promises(system.runtime))
            assert not (await asyncio.wait([waiting], timeout=0.2))[0], "0 would say that nothing is due"
        assert await waiting == 1
        assert (await system.totals())["promises"]["broken"] == 2


def _story(case):
    """Two topics without a common order: what visits told, and what cases told, each in its own order."""
    visits = [
        promised(case, (WEDNESDAY, "500"), (FRIDAY, "500")),
        promised(case, (FRIDAY, "700"), (NEXT_WEEK, "700"), day=TUESDAY),
    ]
    payments = [
        paid(case, "90", MONDAY - timedelta(days=3)),
        paid(case, "120", MONDAY),
        paid(case, "300", TUESDAY),
        paid(case, "260", TUESDAY),
        paid(case, "77", WEDNESDAY),
    ]
    return visits, payments


@pytest.mark.dialect
async def test_the_order_in_which_events_arrive_does_not_matter_for_the_totals(system):
    seen = []
    for arrangement in sorted(set(permutations("vvppppp"))):
        case = new_id()
        visits, payments = (iter(events) for events in _story(case))
        for source in arrangement:
            await system.hear(next(visits if source == "v" else payments), lender_id=f"bank-{case}")
        totals = await system.get("/promises/totals", role=Role.LENDER, lender_id=f"bank-{case}")
        assert conserved(totals)
        seen.append(totals)
    assert all(totals == seen[0] for totals in seen)
    assert seen[0]["money"]["TWD"] == {
        "promised": "2400", "received": "847", "applied_to_promises": "757", "unapplied": "90",
    }  # fmt: skip


days = st.integers(-2, 9)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(0, 2), st.integers(1, 900), days),
        st.tuples(st.just("promise"), st.integers(0, 2), st.integers(1, 900), st.integers(0, 9)),
        st.tuples(st.just("tick"), st.just(0), st.just(0), st.just(1)),
    ),
    max_size=25,
)


@search(6, 120)
@given(story=happenings, seed=st.integers(0, 999))
def test_whatever_happens_money_and_promises_are_conserved(story, seed):
    asyncio.run(_live(story, Random(seed)))


async def _live(story, chance: Random) -> None:
    with TemporaryDirectory() as folder:
        chosen = await asyncio.to_thread(
            lambda: migrated(FollowupSettings(data_dir=Path(folder), clock=noon(MONDAY), grace_days=1), SERVICE)
        )
        async with running(chosen) as system:
            cases = [new_id() for _ in range(3)]
            today = received = made = 0
            for kind, which, amount, offset in story:
                day = MONDAY + timedelta(days=today)
                if kind == "tick":
                    today += offset
                    await system.settle_at(noon(MONDAY + timedelta(days=today)))
                elif kind == "pay":
                    received += amount
                    await system.hear(paid(cases[which], str(amount), day + timedelta(days=min(offset, 0))))
                else:
                    made += 1
                    later = chance.randint(offset, offset + 3) + 1
                    await system.hear(
                        promised(
                            cases[which],
                            (day + timedelta(days=offset), str(amount)),
                            (day + timedelta(days=later), "50"),
                            day=day,
                        )
                    )
            totals = await system.totals()
            assert conserved(totals)
            assert totals["promises"]["made"] == made
            assert totals["money"].get("TWD", {"received": "0"})["received"] == str(received)
            await system.settle_at(noon(MONDAY + timedelta(days=today + 40)))
            assert (await system.totals())["promises"]["open"] == 0
            await _rows_agree(system)


async def _rows_agree(system) -> None:
    """What the promises say they were paid is what the payments say they gave."""
    listed = (await system.get("/promises?limit=200"))["items"]
    for item in listed:
        detail = await system.get(f"/promises/{item['id']}")
        applied = sum(int(payment["applied"]["amount"]) for payment in detail["payments"])
        assert applied == int(detail["paid"]["amount"]) == sum(int(i["paid"]["amount"]) for i in detail["instalments"])
        assert item["status"] in set(PromiseStatus) - {PromiseStatus.ACTIVE}
