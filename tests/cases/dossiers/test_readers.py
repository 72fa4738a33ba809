"""Whom a collector may read about: the debtors of the own team's open visits, on the day and the evening before, unless
a hold stops the visit. For each route by which a collector asks, also by way of the service visits."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from services.cases.debtors.tables import AssignmentRow
from shared import keys
from shared.auth import SERVICE_ISSUER, Role, issue_token
from shared.events.followup import (
    PromiseBroken,
    PromiseCancelled,
    PromiseCured,
    PromiseKept,
    PromiseMade,
    PromiseReopened,
)
from shared.events.values import Amount, Instalment
from shared.events.visits import (
    CollectorStatusChanged,
    VisitAborted,
    VisitCancelled,
    VisitCompleted,
    VisitDispatched,
    VisitMissed,
    VisitPlanned,
)
from shared.ids import new_id

TUESDAY = date(2026, 3, 3)
HOLD = {"reason": "HARDSHIP_REVIEW", "review_on": "2026-04-01"}
WHY = {"reason": "The review is done."}


def taipei(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


class Visit:
    """A visit on Tuesday at ten, planned on Monday; `reads` says by which routes a collector gets an answer."""

    def __init__(self, system, case):
        self.system, self.case, self.id, self.me = system, case, new_id(), new_id()

    async def planned(self, collectors=(), day=TUESDAY, purpose="DEMAND"):
        start = taipei(day, 10)
        event = VisitPlanned(
            case_id=self.case, visit_id=self.id, plan_id=new_id(), team_id=new_id(),
            collector_ids=[*(collectors or [self.me]), new_id()], purpose=purpose,
            window_start=start, window_end=start + timedelta(minutes=20),
        )  # fmt: skip
        await self.system.hear(event)
        return self

    async def reads(self, collector=None):
        """By the own token, by the service visits on behalf, and before a call: all the same."""
        who = str(collector or self.me)
        own = self.system.bearer(Role.COLLECTOR, subject=who)
        path = f"/cases/v1/cases/{self.case}/dossier"
        client, check = self.system.client, {"contacts": [{"case_id": self.case}]}
        answers = [
            await client.get(path, headers=own),
            await client.get(path, headers=behalf(self.system, f"collector:{who}")),
            await client.post("/cases/v1/contact-checks", json=check, headers=own),
        ]
        [status] = {answer.status_code for answer in answers}
        assert status in (200, 404)
        return status == 200


def behalf(system, person):
    key = keys.private_key(None, settings=system.runtime.settings, name="services")
    token = issue_token(
        key, key_id=keys.key_id(key.public_key()), issuer=SERVICE_ISSUER, audience="doorstep", subject="visits",
        roles=[Role.SERVICE], seconds=60, on_behalf_of=person,
    )  # fmt: skip
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def visit(system):
    """It is nine on Tuesday."""
    [case] = await system.place("A-1")
    await system.at(taipei(TUESDAY, 9))
    return await Visit(system, case).planned()


async def test_the_day_and_the_evening_before_and_no_other_time(system, visit):
    monday, wednesday = TUESDAY - timedelta(days=1), TUESDAY + timedelta(days=1)
    for now, expected in (
        (taipei(monday, 16, 59), False),
        (taipei(monday, 17), True),
        (taipei(TUESDAY, 23, 59), True),
        (taipei(wednesday, 0), False),
        (taipei(TUESDAY + timedelta(days=275), 10), False),
    ):
        await system.at(now)
        assert await visit.reads() is expected, now


async def test_the_own_team_alone(system, visit):
    assert await visit.reads()
    assert not await visit.reads(new_id())
    other = new_id()
    await visit.planned(collectors=[other])  # moved to another team
    assert not await visit.reads()
    assert await visit.reads(other)
    answer = await system.client.get(
        f"/cases/v1/cases/{visit.case}/dossier", headers=behalf(system, "supervisor:s-1"), params={"reason": "VISIT"}
    )
    assert answer.json()["name"] == "王小明"


def dispatched(visit):
    return VisitDispatched(
        case_id=visit.case, visit_id=visit.id, team_id=new_id(), collector_ids=[visit.me], decision_id=new_id()
    )


def over(visit, kind):
    if kind is VisitCompleted:
        return VisitCompleted(
            case_id=visit.case, visit_id=visit.id, team_id=new_id(), collector_ids=[visit.me], purpose="DEMAND",
            started_at=taipei(TUESDAY, 9), ended_at=taipei(TUESDAY, 9), disposition="NO_ANSWER", person_met="NONE",
            contact=False, evidence=[], decision_id=new_id(), record_incomplete=False, missing=[],
            time_zone="Asia/Taipei",
        )  # fmt: skip
    if kind is VisitMissed:
        return VisitMissed(
            case_id=visit.case, visit_id=visit.id, team_id=new_id(), collector_ids=[visit.me], day=TUESDAY,
            reason="NO_CHECK_IN", known_status="DISPATCHED",
        )  # fmt: skip
    return kind(case_id=visit.case, visit_id=visit.id, reason="CANCELLED_PAID")


@pytest.mark.dialect
async def test_a_visit_that_is_over_closes_the_dossier(system, visit):
    for kind in (VisitCompleted, VisitAborted, VisitCancelled, VisitMissed):
        await visit.planned()
        await system.hear(dispatched(visit))
        assert await visit.reads()
        await system.hear(over(visit, kind))
        assert not await visit.reads()


@pytest.mark.dialect
@pytest.mark.parametrize("kind", [VisitAborted, VisitCancelled])
async def test_who_reads_of_an_address_that_was_not_safe_is_warned(system, visit, kind):
    async def hazard():
        return [each["hazard"] for each in (await system.get(f"/cases/{visit.case}/dossier"))["addresses"]]

    await system.hear(kind(case_id=visit.case, visit_id=visit.id, reason="ROUTE_OVERRUN"))
    assert await hazard() == [None]
    await system.hear(kind(case_id=visit.case, visit_id=visit.id, reason="SAFETY_ABORT"))
    assert await hazard() == [True]


async def test_a_missed_visit_is_on_the_timeline_with_its_reason(system, visit):
    await system.hear(over(visit, VisitMissed))
    [noted] = (await system.get(f"/cases/{visit.case}"))["timeline"]
    assert (noted["type"], noted["facts"]["reason"]) == ("doorstep.visits.visit-missed.v1", "NO_CHECK_IN")


@pytest.mark.dialect
async def test_a_hold_closes_the_dossier_at_once_and_its_release_opens_it(system, visit):
    call = await system.post(f"/cases/{visit.case}/holds", HOLD | {"scope": "call"}, 201)
    assert await visit.reads()
    hold = await system.post(f"/cases/{visit.case}/holds", HOLD | {"scope": "visit"}, 201)
    assert not await visit.reads()
    await system.post(f"/holds/{hold['id']}/release", WHY)
    assert await visit.reads()
    await system.post(f"/holds/{call['id']}/release", WHY)


async def test_a_promise_closes_the_dossier_but_for_the_visit_that_was_agreed(system, visit):
    money = Amount(amount="1", currency="TWD")
    instalments = [Instalment(due_on=date(2026, 3, 9), amount=money)]
    promise = PromiseMade(case_id=visit.case, promise_id=new_id(), instalments=instalments, total=money)
    await system.hear(promise)
    assert not await visit.reads()
    await visit.planned(purpose="AGREED_REVISIT")
    assert await visit.reads()
    await visit.planned()
    await system.hear(PromiseCancelled(case_id=visit.case, promise_id=promise.promise_id, reason="ENTERED_WRONGLY"))
    assert await visit.reads()


async def test_a_promise_that_runs_again_closes_the_dossier_again(system, visit):
    money = Amount(amount="1", currency="TWD")
    promise = {"case_id": visit.case, "promise_id": new_id()}
    settled = promise | {"promised": money, "paid": money, "on": TUESDAY}
    instalments = [Instalment(due_on=date(2026, 3, 9), amount=money)]
    running = PromiseReopened(**settled, status="ACTIVE", judgement=2)
    for event, reads in (
        (PromiseMade(**promise, instalments=instalments, total=money), False),
        (PromiseKept(**settled, judgement=1), True),
        (running, False),
        (PromiseBroken(**settled, judgement=3), True),
        (PromiseCured(**settled, status="ACTIVE", judgement=4), False),
        (PromiseCured(**settled, status="KEPT", judgement=5), True),
    ):
        await system.hear(event)
        assert bool(await visit.reads()) == reads, event


@pytest.mark.dialect
async def test_each_reading_is_published_and_a_refused_one_is_not(system, visit):
    assert await visit.reads()
    assert not await visit.reads(new_id())
    read = [headers for kind, headers, _ in await system.published() if kind == "dossier-read"]
    assert {headers["ce_actor"] for headers in read} == {f"collector:{visit.me}"}
    assert len(read) == 2


async def test_what_happened_is_recorded_though_a_hold_came_meanwhile_but_not_before_the_team_left(system, visit):
    attempt = {"case_id": visit.case, "channel": "CALL", "result": "NO_ANSWER", "at": "2026-03-02T11:00:00+08:00"}
    headers = system.bearer(Role.COLLECTOR, subject=str(visit.me))

    async def recorded():
        answer = await system.client.post("/cases/v1/contact-attempts", json={"attempts": [attempt]}, headers=headers)
        return answer.json()["recorded"]

    assert await recorded() == 0
    await system.hear(dispatched(visit))
    await system.post(f"/cases/{visit.case}/holds", HOLD, 201)
    assert not await visit.reads()
    assert await recorded() == 1


@pytest.mark.dialect
async def test_an_assignment_of_the_last_release_opens_nothing(system, visit):
    """It does not know its day. `doorstep bus rebuild cases assignments` tells it."""
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(update(AssignmentRow).values(window_start=None, purpose=None, dispatched=True))
    assert not await visit.reads()


async def status_of(visit, status, version, collector=None):
    """The version is that of the collector, in the order in which visits published it."""
    who = collector or visit.me
    event = CollectorStatusChanged(collector_id=who, status=status, certificates=[])
    await visit.system.hear(event, key=who, lender_id=None, sequence=version)


@pytest.mark.dialect
@pytest.mark.parametrize("status", ["SUSPENDED", "LEFT"])
async def test_who_is_off_duty_reads_no_more_of_a_visit_under_way(system, visit, status):
    await system.hear(dispatched(visit))
    await status_of(visit, "ACTIVE", 1)
    assert await visit.reads()
    await status_of(visit, status, 2)
    assert not await visit.reads()
    other = new_id()
    await visit.planned(collectors=[visit.me, other])
    assert not await visit.reads()
    assert await visit.reads(other)
    answer = await system.client.get(
        f"/cases/v1/cases/{visit.case}/dossier", headers=behalf(system, "supervisor:s-1"), params={"reason": "VISIT"}
    )
    assert answer.status_code == 200


async def test_who_is_reinstated_reads_again_in_whatever_order_the_events_come(system, visit):
    await status_of(visit, "SUSPENDED", 2)
    assert not await visit.reads()
    await status_of(visit, "ACTIVE", 3)
    assert await visit.reads()
    await status_of(visit, "SUSPENDED", 2)  # it comes late
    assert await visit.reads()
    later = new_id()
    await status_of(visit, "SUSPENDED", 1, later)  # before the visit is planned
    await visit.planned(collectors=[later])
    assert not await visit.reads(later)


async def test_what_happened_is_recorded_though_the_collector_was_suspended_meanwhile(system, visit):
    await system.hear(dispatched(visit))
    await status_of(visit, "SUSPENDED", 1)
    attempt = {"case_id": visit.case, "channel": "CALL", "result": "NO_ANSWER", "at": "2026-03-02T11:00:00+08:00"}
    headers = system.bearer(Role.COLLECTOR, subject=str(visit.me))
    answer = await system.client.post("/cases/v1/contact-attempts", json={"attempts": [attempt]}, headers=headers)
    assert answer.json()["recorded"] == 1
