"""Who may see and do what with promises over HTTP."""

from datetime import timedelta

import pytest

from services.followup.worker import SERVICE
from shared import migrations
from shared.auth import Role
from shared.ids import new_id
from tests.followup.conftest import MONDAY, ids, noon, paid, promised

FRIDAY = MONDAY + timedelta(days=4)


@pytest.mark.dialect
def test_the_migrations_make_what_the_code_says(settings):
    migrations.check(SERVICE.migrations, settings.database_url_of("followup"))


@pytest.mark.dialect
async def test_a_promise_shows_its_instalments_and_payments(system):
    case, promise, payment = new_id(), new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "30"), (FRIDAY + timedelta(days=7), "20.50"), promise_id=promise))
    await system.hear(paid(case, "40", MONDAY, payment_id=payment))
    shown = await system.get(f"/promises/{promise}", role=Role.COMPLIANCE)
    assert (shown["status"], shown["promised"]["amount"], shown["paid"]["amount"]) == ("ACTIVE", "50.50", "40")
    assert [(part["due_on"], part["paid"]["amount"]) for part in shown["instalments"]] == [
        (str(FRIDAY), "30"),
        (str(FRIDAY + timedelta(days=7)), "10"),
    ]
    [applied] = shown["payments"]
    assert (applied["payment_id"], applied["applied"]) == (str(payment), {"amount": "40", "currency": "TWD"})
    assert (shown["uncounted"], shown["explanation"]["en"][1]) == ([], "Of TWD 50.50, TWD 40 has come.")
    assert (shown["made_on"], shown["time_zone"], shown["tolerance"]) == (str(MONDAY), "Asia/Taipei", "0.95")


@pytest.mark.dialect
async def test_lists_are_filtered_and_paged(system):
    cases = [new_id() for _ in range(5)]
    await system.hear(*(promised(case, (FRIDAY, "10")) for case in cases))
    await system.hear(paid(cases[2], "10", MONDAY))
    first = await system.get("/promises?limit=3", role=Role.ADMIN)
    rest = await system.get(f"/promises?limit=3&cursor={first['next_cursor']}", role=Role.ADMIN)
    assert rest["next_cursor"] is None
    assert [item["case_id"] for item in first["items"] + rest["items"]] == [str(case) for case in cases]
    kept = await system.get("/promises?status=KEPT")
    assert [item["case_id"] for item in kept["items"]] == [str(cases[2])]
    assert ids((await system.get(f"/promises?case_id={cases[2]}"))["items"]) == ids(kept["items"])


@pytest.mark.dialect
async def test_a_lender_sees_its_own_and_learns_nothing_of_others(system):
    mine, theirs, hidden = new_id(), new_id(), new_id()
    await system.hear(promised(mine, (FRIDAY, "10")))
    await system.hear(promised(theirs, (FRIDAY, "99"), promise_id=hidden), lender_id="lender-2")
    listed = await system.get("/promises", role=Role.LENDER, lender_id="lender-1")
    assert [item["case_id"] for item in listed["items"]] == [str(mine)]
    totals = await system.get("/promises/totals", role=Role.LENDER, lender_id="lender-1")
    assert (totals["promises"]["made"], totals["money"]["TWD"]["promised"]) == (1, "10")
    bearer = system.bearer(Role.LENDER, lender_id="lender-1")
    for promise_id in (hidden, new_id()):
        reply = await system.client.get(f"/followup/v1/promises/{promise_id}", headers=bearer)
        assert (reply.status_code, reply.json()["title"]) == (404, "promise-not-found")


@pytest.mark.dialect
async def test_a_supervisor_takes_a_promise_back_if_nobody_changed_it(system):
    case, promise = new_id(), new_id()
    await system.hear(promised(case, (FRIDAY, "100"), promise_id=promise))
    path, bearer = f"/followup/v1/promises/{promise}", system.bearer()
    seen = (await system.client.get(path, headers=bearer)).headers["etag"]
    await system.hear(paid(case, "40", MONDAY))
    body = {"reason": "RECORDED_IN_ERROR"}
    stale = await system.client.post(f"{path}/cancel", json=body, headers={**bearer, "If-Match": seen})
    assert stale.status_code == 412
    now = (await system.client.get(path, headers=bearer)).headers["etag"]
    done = await system.client.post(f"{path}/cancel", json=body, headers={**bearer, "If-Match": now})
    assert (done.status_code, done.json()["status"], done.json()["paid"]["amount"]) == (200, "CANCELLED", "40")
    again = await system.client.post(f"{path}/cancel", json=body, headers=bearer)
    assert (again.status_code, again.json()["title"]) == (409, "promise-ended")
    assert await system.types() == ["promise-made", "promise-cancelled"]
    assert await system.settle_at(noon(FRIDAY + timedelta(days=30))) == 0
    totals = await system.totals()
    assert (totals["promises"]["cancelled"], totals["promises"]["open"], totals["kept_ratio"]) == (1, 0, None)


async def test_only_a_supervisor_may_and_only_for_a_known_reason(system):
    promise = new_id()
    await system.hear(promised(new_id(), (FRIDAY, "100"), promise_id=promise))
    path = f"/followup/v1/promises/{promise}/cancel"
    for role, status in ((Role.COMPLIANCE, 403), (Role.LENDER, 404)):
        reply = await system.client.post(path, json={"reason": "HARDSHIP"}, headers=system.bearer(role))
        assert reply.status_code == status
    reply = await system.client.post(path, json={"reason": "JUST SO"}, headers=system.bearer())
    assert reply.status_code == 422
