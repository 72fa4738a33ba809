"""A newer phone may send fields that this service does not know: they are stored sealed with the visit, and named."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import col

from services.visits.visit.sealed import VISIT, fields_place, subject_of
from services.visits.visit.tables import UnknownFieldsRow, VisitRow, VisitSecretRow
from services.visits.visit.unknown import WARNINGS_MAX
from shared.vault import Erased
from tests.visits.conftest import System

SECRET = "王小明 0912345678"


def arrival(collector: UUID, **more: Any) -> dict[str, Any]:
    place = {"latitude": 25.03, "longitude": 121.56, "accuracy_m": 8}
    return {"collector_id": str(collector), "device_time": "2026-03-02T10:00:00+08:00", **place, **more}


def record(**more: Any) -> dict[str, Any]:
    ended = {"ended_at": "2026-03-02T10:00:00+08:00", "disposition": "PROMISE_TO_PAY", "person_met": "DEBTOR"}
    return ended | more


async def opened(system: System, visit: UUID) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What is stored of the unknown fields, by report and sender."""
    async with system.runtime.database.reading() as tx:
        subject = subject_of(await tx.session.get_one(VisitRow, visit))
        rows = await tx.session.scalars(select(UnknownFieldsRow).where(col(UnknownFieldsRow.visit_id) == visit))
        found = {}
        for row in rows:
            place = fields_place(visit, row.report, row.sent_by)
            packed = await tx.vault.open(subject, VISIT, place, row.sealed_fields)
            found[row.report, row.sent_by] = json.loads(packed)
        return found


async def started(system: System, **more: Any) -> tuple[UUID, list[UUID]]:
    team = await system.team()
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    for collector in team[1]:
        await system.post(f"/visits/{visit}/check-in", arrival(collector, **more))
    return visit, team[1]


@pytest.mark.dialect
async def test_unknown_fields_are_sealed_at_any_depth_and_named(system: System) -> None:
    visit, _ = await started(system)
    due = {"due_on": "2026-03-10", "amount": {"amount": "100", "currency": "TWD", "noted_by": SECRET}}
    report = record(
        mood=SECRET,
        statment=SECRET,  # a misspelt optional field
        promise={"instalments": [due | {"via": {"deep": [SECRET]}}], "王": SECRET},
        evidence=[{"digest": "5a" * 32, "media_type": "audio/mp4", "size_bytes": 9, "lens": SECRET}],
    )
    done = await system.post(f"/visits/{visit}/complete", report)
    assert {each["where"] for each in done["warnings"]} == {
        "body.mood",
        "body.statment",
        "body.evidence.0.lens",
        "body.promise.instalments.0.via",
        "body.promise.instalments.0.amount.noted_by",
        "body.promise.(a name that is not repeated here)",
    }
    assert SECRET not in json.dumps(done, ensure_ascii=False)
    [(who, fields)] = (await opened(system, visit)).items()
    assert who[0] == "complete"
    values = {".".join(map(str, each["path"])): each["value"] for each in fields}
    assert values["promise.instalments.0.via"] == {"deep": [SECRET]}
    assert values["promise.王"] == values["statment"] == SECRET
    async with system.runtime.database.reading() as tx:
        row = await tx.session.get(VisitRow, visit)
        [kept] = await tx.session.scalars(select(UnknownFieldsRow))
        secret = await tx.session.get(VisitSecretRow, visit)
    assert SECRET not in json.dumps(row.model_dump(mode="json"), ensure_ascii=False)
    assert SECRET.encode() not in kept.sealed_fields
    assert all(SECRET.encode() not in payload for _, _, payload in await system.published())
    assert secret.sealed_statement is None
    async with system.runtime.database.transaction() as tx:  # it is erased with the visit
        await tx.vault.destroy(f"case/{row.case_id.hex}")
    with pytest.raises(Erased):
        await opened(system, visit)


@pytest.mark.dialect
async def test_each_report_keeps_its_own_and_the_same_one_again_replaces_it(system: System) -> None:
    team = await system.team()
    visit = await system.visit(await system.case(), team)
    await system.post(f"/visits/{visit}/dispatch")
    for battery in (80, 79):
        answer = await system.post(f"/visits/{visit}/check-in", arrival(team[1][0], battery=battery))
        assert "body.battery" in [each["where"] for each in answer["warnings"]]
    aborted = await system.post(f"/visits/{visit}/abort", {"reason": "SAFETY_ABORT", "step_count": 12})
    assert [each["where"] for each in aborted["warnings"]] == ["body.step_count"]
    found = await opened(system, visit)
    assert {report: [each["value"] for each in fields] for (report, _), fields in found.items()} == {
        "check-in": [79],
        "abort": [12],
    }


async def test_a_second_supplement_leaves_the_fields_of_the_first(system: System) -> None:
    visit, _ = await started(system)
    await system.post(f"/visits/{visit}/complete", record())
    shown, willing = {"credentials_shown": True}, {"willing_now": True}
    for proofs, note in ((shown, "first"), (willing, "second"), (shown, "first again")):
        await system.post(f"/visits/{visit}/supplements", proofs | {"note": note})
    assert sorted(fields[0]["value"] for fields in (await opened(system, visit)).values()) == ["first again", "second"]


async def test_a_report_without_unknown_fields_has_no_warnings(system: System) -> None:
    visit, _ = await started(system)
    done = await system.post(f"/visits/{visit}/complete", record(statement="said"))
    assert done["warnings"] == []
    assert await opened(system, visit) == {}


async def test_a_refused_report_keeps_nothing_and_a_long_one_is_named_in_part(system: System) -> None:
    visit, _ = await started(system)
    await system.post(f"/visits/{visit}/complete", record(person_met="NONE", mood=SECRET), expect=422)
    assert await opened(system, visit) == {}
    many = {f"field_{number}": number for number in range(WARNINGS_MAX + 5)}
    done = await system.post(f"/visits/{visit}/complete", record(**many))
    assert len(done["warnings"]) == WARNINGS_MAX
    [fields] = (await opened(system, visit)).values()
    assert len(fields) == WARNINGS_MAX + 5
