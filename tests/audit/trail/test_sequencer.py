"""The sequencer on both databases: each record once and in order, and whatever is odd about one is an entry."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from services.audit.tlog.leaf import encode, instant
from services.audit.tlog.merkle import leaf_hash
from services.audit.trail.entries import heartbeat
from services.audit.trail.state import TrailBroken
from services.audit.trail.tables import AGGREGATE_HEAD, ENTRY, ENTRY_RULE, ENTRY_SUBJECT, KAFKA_POS
from shared.bus.lease import LeaseLost
from shared.bus.transport import Partition
from shared.clock import system_now
from shared.events.cases import TOPIC, CaseReferred, DossierRead
from shared.events.followup import PromiseMade
from shared.events.values import Amount
from shared.events.visits import GateDecided
from shared.ids import new_id
from tests.audit.conftest import Tape, payment


def types(leaves):
    return [leaf.type.removeprefix("doorstep.").removesuffix(".v1") for leaf in leaves]


def alarms(kind):
    return REGISTRY.get_sample_value("doorstep_trail_alarms_total", {"type": kind})


async def rows(trail, statement):
    async with trail.runtime.database.reading() as tx:
        return [tuple(row) for row in (await tx.session.execute(statement)).all()]


async def test_each_record_is_taken_once_and_in_order(trail):
    tape, case = Tape(), new_id()
    records = [tape.payment(case, version=n) for n in range(1, 301)]
    assert await trail.take(*records[:200]) == 200
    assert await trail.take(*records[150:]) == 100  # the broker delivers some of them again
    assert await trail.take(*records) == 0
    leaves = await trail.leaves("bank-a")
    assert [str(leaf.event_id) for leaf in leaves] == [record.headers["ce_id"] for record in records]
    assert [leaf.subjects[0].n for leaf in leaves] == list(range(1, 301))
    assert (await trail.verified()).ok


async def test_a_leaf_has_the_class_of_its_event_and_the_houses_where_an_older_release_named_none(trail):
    tape = Tape()
    assert await trail.take(tape.payment(ce_retention="cn-retain-card"), tape.payment()) == 2
    assert [leaf.retention for leaf in await trail.leaves("bank-a")] == ["cn-retain-card", "house-retain"]
    assert (await trail.verified()).ok


@pytest.mark.dialect
async def test_the_same_event_at_another_place_is_the_entry_that_is_there(trail):
    tape = Tape()
    record = tape.payment()
    again = replace(record, offset=next(tape.offsets))
    assert await trail.take(record, again) == 1
    assert await trail.take(replace(record, offset=next(tape.offsets))) == 0
    assert await rows(trail, select(KAFKA_POS.c.next_offset)) == [(3,)]


async def test_another_event_under_a_taken_id_is_refused_and_that_is_an_entry(trail):
    tape, case, before = Tape(), new_id(), alarms("trail.conflict")
    first = tape.payment(case)
    other = replace(first, offset=next(tape.offsets), value=payment(case).model_dump_json().encode())
    assert await trail.take(first, other) == 2
    _, conflict = await trail.leaves("bank-a")
    assert conflict.type == "trail.conflict"
    assert conflict.data["event_id"] == first.headers["ce_id"]
    assert conflict.subjects[0].ref == f"case:{case}"
    assert alarms("trail.conflict") == before + 1
    assert (await trail.verified()).ok


@pytest.mark.parametrize(
    "odd",
    [
        {"value": b"\xff\x00 no JSON"},
        {"value": b"{}"},
        {"value": b"[" * 5000},
        {"ce_type": "somebody.elses.event"},
        {"ce_type": None},
        {"ce_id": "not-a-uuid"},
        {"ce_sequence": "0"},
        {"ce_sequence": "9" * 30},
        {"ce_time": "2026-03-02T10:00:00"},
        {"ce_time": "0001-01-01T00:00:00+23:59"},
        {"ce_actor": "officer:\x00"},
        {"ce_correlationid": "x" * 5000},
        {"ce_lenderid": "operator"},
        {"ce_lenderid": "access"},
        {"ce_lenderid": "a\nb"},
        {"ce_retention": "for ever"},
        {"ce_retention": "us" + "-x" * 100},
        {"ce_retention": "us-retain\n"},
        {"ce_retention": ""},
        {"ce_id": None},
    ],
    ids=lambda odd: str(odd)[:40],
)
async def test_poison_is_an_entry_with_its_digest_and_stops_nobody(trail, odd):
    tape, before = Tape(), alarms("trail.rejected")
    records = [tape.payment(), tape.payment(**odd), tape.payment()]
    assert await trail.take(*records) == 3
    [rejected] = await trail.leaves("operator")
    assert rejected.type == "trail.rejected"
    assert (rejected.source.offset, rejected.data["size"]) == (1, len(records[1].value))
    assert len(rejected.data["sha256"]) == 64
    assert "no JSON" not in json.dumps(rejected.data)
    assert types(await trail.leaves("bank-a")) == ["cases.payment-received"] * 2
    assert alarms("trail.rejected") == before + 1
    assert await trail.take(tape.payment()) == 1
    assert (await trail.verified()).ok


async def test_an_event_too_large_for_a_leaf_is_kept_by_its_digest(trail):
    tape = Tape()
    inputs = {"text": "x" * 70_000}
    event = CaseReferred(case_id=new_id(), referral_id=new_id(), rule_id="r", inputs=inputs)
    assert await trail.take(tape.record(event)) == 1
    [rejected] = await trail.leaves("operator")
    assert "at most 65535" in rejected.data["reason"]


@pytest.mark.dialect
async def test_an_event_that_never_came_is_an_entry_and_an_alarm(trail):
    tape, case, before = Tape(), new_id(), alarms("trail.gap")
    records = [tape.payment(case, version=version) for version in (1, 2, 5)]
    assert await trail.take(*records) == 4
    *_, late, gap = await trail.leaves("bank-a")
    assert late.aggregate.version == 5
    assert gap.type == "trail.gap"
    assert gap.data == {"aggregate": f"cases:{case}", "from_version": 2, "to_version": 5}
    assert [subject.ref for subject in gap.subjects] == [f"case:{case}"]
    assert alarms("trail.gap") == before + 1
    # What comes late is simply taken, and the newest version stays the newest.
    assert await trail.take(tape.payment(case, version=4)) == 1
    assert await trail.take(tape.payment(case, version=6)) == 1
    assert await rows(trail, select(AGGREGATE_HEAD)) == [(f"cases:{case}", 6)]
    assert alarms("trail.gap") == before + 1
    assert (await trail.verified()).ok


async def test_an_aggregate_that_begins_in_the_middle_has_a_gap_before_it(trail):
    assert await trail.take(Tape().payment(version=3)) == 2
    gap = (await trail.leaves("bank-a"))[1]
    assert (gap.data["from_version"], gap.data["to_version"]) == (0, 3)


@pytest.mark.dialect
async def test_two_services_count_versions_of_the_same_case_apart(trail):
    case = new_id()
    promise = PromiseMade(
        case_id=case, promise_id=new_id(), instalments=[], total=Amount(amount="1.00", currency="TWD")
    )
    records = [Tape().payment(case), Tape(Partition("followup.promise.v1", 0)).record(promise, subject=case)]
    assert await trail.take(*records) == 2
    assert types(await trail.leaves("bank-a")) == ["cases.payment-received", "followup.promise-made"]


@pytest.mark.dialect
async def test_what_an_entry_is_searched_by(trail):
    tape, case, visit = Tape(Partition("visits.visit.v1", 2)), new_id(), new_id()
    decided = GateDecided(
        case_id=case,
        visit_id=visit,
        decision_id=new_id(),
        step="dispatch",
        verdict="block",
        deciding=["tw-hours", "house-pair", "tw-hours"],
        rules={"tw-hours": "block", "cn-hours": "pass"},
        packs={},
        decision_digest="0" * 64,
    )
    record = tape.record(decided, subject=visit)
    assert await trail.take(record) == 1
    columns = (ENTRY.c.outcome, ENTRY.c.case_id, ENTRY.c.actor, ENTRY.c.aggregate_id, ENTRY.c.aggregate_version)
    assert await rows(trail, select(*columns)) == [("block", str(case), "system:doorstep", f"visits:{visit}", 1)]
    assert await rows(trail, select(ENTRY_RULE.c.rule_id).order_by(ENTRY_RULE.c.rule_id)) == [
        ("house-pair",),
        ("tw-hours",),
    ]
    assert await rows(trail, select(ENTRY_SUBJECT.c.ref, ENTRY_SUBJECT.c.n).order_by(ENTRY_SUBJECT.c.ref)) == [
        (f"case:{case}", 1),
        (f"visit:{visit}", 1),
    ]


async def test_who_read_what_stands_in_a_log_of_its_own_and_what_belongs_to_nobody_in_operators(trail):
    tape, cases = Tape(), [new_id(), new_id()]
    assert await trail.take(
        tape.record(DossierRead(case_ids=cases, reason="VISIT")), tape.payment(lender=None), tape.payment()
    )
    [read] = await trail.leaves("access")
    assert [subject.ref for subject in read.subjects] == [f"case:{case}" for case in cases]
    assert len(await trail.leaves("operator")) == len(await trail.leaves("bank-a")) == 1


async def test_logs_grow_side_by_side_over_the_borders_of_tiles(trail):
    tape, cases = Tape(), [new_id() for _ in range(40)]
    versions = dict.fromkeys(cases, 0)
    for wave in range(6):
        records = []
        for number in range(250):
            case = cases[(number * 7 + wave) % len(cases)]
            versions[case] += 1
            lender = f"bank-{number % 3}"
            records.append(tape.payment(case, version=versions[case], lender=lender))
        assert await trail.take(*records) == 250
    found = await trail.verified()
    assert found.ok, found.to_json()
    assert {log.log: log.size for log in found.logs if log.size} == {"bank-0": 504, "bank-1": 498, "bank-2": 498}


async def test_a_record_taken_last_that_is_another_now_stops_it(trail):
    tape = Tape()
    first, second = tape.payment(), tape.payment()
    await trail.take(first, second)
    with pytest.raises(TrailBroken, match="another one now"):
        await trail.take(replace(second, headers={**second.headers, "ce_id": str(new_id())}), tape.payment())
    with pytest.raises(TrailBroken, match="2 to 4 are not there"):
        await trail.take(replace(first, offset=5))
    assert len(await trail.leaves("bank-a")) == 2


@pytest.mark.dialect
async def test_who_lost_the_lease_writes_nothing(trail):
    lease = trail.runtime.service.tables.bus.lease
    async with trail.runtime.database.transaction() as tx:
        await tx.session.execute(update(lease).values(holder="somebody else", epoch=lease.c.epoch + 1))
    for attempt in (trail.take(Tape().payment()), trail.sequencer.beat()):
        with pytest.raises(LeaseLost):
            await attempt
    assert await trail.leaves("bank-a") == []


@pytest.mark.dialect
async def test_a_beat_is_an_entry_in_each_older_log_and_comes_once(trail, monkeypatch):
    tape = Tape()
    await trail.take(tape.payment(), tape.payment(lender="bank-b"))
    assert await trail.sequencer.beat() == 0  # the logs are younger than this beat
    later = system_now().timestamp() + 3600
    monkeypatch.setattr(
        "services.audit.trail.sequencer.system_now",
        lambda: type(system_now()).fromtimestamp(later, system_now().tzinfo),
    )
    await trail.take(tape.payment(lender="bank-c"))
    assert await trail.sequencer.beat() == 3  # one names the logs, two are the beats
    assert await trail.sequencer.beat() == 0
    trail.sequencer._last_beat = 0  # as after a restart
    assert await trail.sequencer.beat() == 0
    [heads] = await trail.leaves("operator")
    assert [(log["log"], log["size"]) for log in heads.data["logs"]] == [("bank-a", 1), ("bank-b", 1), ("bank-c", 1)]
    assert heads.data["sources"] == [{"topic": TOPIC, "partition": 0, "next_offset": 3, "skipped": 0}]
    last = (await trail.leaves("bank-b"))[-1]
    assert (last.type, last.source, last.data) == (
        "trail.heartbeat",
        None,
        {
            "beat": int(later) // 3600,
            "every_seconds": 3600,
            "operator": {"size": 1, "root": leaf_hash(encode(heads)).hex()},
        },
    )
    assert last.event_id == UUID(heartbeat("bank-b", int(later) // 3600, 3600, system_now()).event_id)
    assert instant(last.recorded_at) > instant(system_now())
    assert (await trail.verified()).ok
