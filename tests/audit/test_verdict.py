"""Is that all? "n of n, nothing missing", or the gap by its name: also when rows were removed from the database."""

from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from services.audit.trail import entries
from shared.events.envelope import ActorRef
from shared.events.visits import VisitAborted
from shared.ids import new_id
from tests.audit.desk import LENDER, Desk, completed, held, paid, referred

ENTRY_OF = "log_id = :log AND idx = :idx"


async def forge(desk: Desk, *statements: str, **values: Any) -> None:
    """Somebody with all rights over the database runs these statements."""
    async with desk.runtime.database.engine.begin() as connection:
        for table in ("entry", "entry_subject"):
            if desk.runtime.database.is_sqlite:
                names = await connection.execute(
                    text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"),
                    {"table": table},
                )
                for name in names.scalars().all():
                    await connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        for statement in statements:
            assert (await connection.execute(text(statement), values)).rowcount == 1


async def gaps(desk: Desk, path: str = "/verdict", **query: Any) -> list[tuple[str, int | None, int | None]]:
    found = await desk.get(path, **query)
    verdict = found if path == "/verdict" else found["verdict"]
    assert verdict["complete"] is (verdict["gaps"] == [])
    for language, wrong in (("en", "NOT complete"), ("zh", "不完整")):
        assert (wrong in verdict[language]) is not verdict["complete"]
    return [(gap["kind"], gap["number"], gap["index"]) for gap in verdict["gaps"]]


async def test_nothing_missing_is_said_of_every_subject(desk: Desk, case: dict[str, Any]) -> None:
    for query, count in (
        ({"case_id": case["case"]}, 7),
        ({"debtor_id": case["debtor"], "log": LENDER}, 7),
        ({"collector_id": case["collector"]}, 1),
    ):
        verdict = await desk.get("/verdict", **query)
        assert (verdict["complete"], verdict["proven"]) == (True, True)
        assert (verdict["found"], verdict["expected"]) == (count, count)
        assert verdict["en"] == f"{count} of {count}, nothing missing."
        assert verdict["zh"] == f"{count} 筆中有 {count} 筆，沒有缺漏。"
    unknown = await desk.get("/verdict", case_id=new_id())
    assert (unknown["complete"], unknown["expected"]) == (True, 0)


@pytest.mark.dialect
async def test_what_an_earlier_release_wrote_without_naming_the_collector_is_not_covered(
    desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, me = case["case"], new_id()
    visit = completed(case_id, me)
    aborted = VisitAborted(case_id=case_id, visit_id=visit.visit_id, reason="ROUTE_OVERRUN")
    await desk.hear(visit, subject=visit.visit_id)
    others = aborted.model_copy(update={"collector_ids": [new_id()]})  # of another team
    await desk.hear(others, subject=visit.visit_id)
    await desk.settle()
    query = {"collector_id": me, "log": LENDER}
    assert await gaps(desk, **query) == []

    def as_before(_type: str, data: dict[str, Any], _actor: object) -> list[tuple[str, str]]:
        return [(kind, data[f"{kind}_id"]) for kind in ("case", "visit") if f"{kind}_id" in data]

    monkeypatch.setattr(entries, "subjects_of", as_before)
    await desk.hear(aborted, subject=visit.visit_id)
    await desk.hear(held(case_id), subject=case_id, actor=ActorRef("collector", str(me)))
    await desk.settle()
    for path in ("/verdict", "/entries"):
        assert await gaps(desk, path, **query) == [("not-indexed", None, 9)]
    verdict = await desk.get("/verdict", **query)
    assert verdict["en"].startswith("1 of 1, NOT complete: 2 older entries")
    assert (await desk.get("/verdict", **query, size=9))["complete"]
    assert await gaps(desk, case_id=case_id, log=LENDER) == []


async def test_the_verdict_is_that_of_the_size_asked_for(desk: Desk, case: dict[str, Any]) -> None:
    for size in range(8):
        verdict = await desk.get("/verdict", case_id=case["case"], log=LENDER, size=size)
        assert (verdict["found"], verdict["expected"], verdict["complete"]) == (size, size, True)
    assert (await desk.get("/verdict", 422, case_id=case["case"], log=LENDER, size=8))["title"] == "beyond-the-tree"


@pytest.mark.parametrize("index", [0, 3, 6])
async def test_a_removed_entry_is_named(desk: Desk, case: dict[str, Any], index: int) -> None:
    await forge(desk, f"DELETE FROM entry WHERE {ENTRY_OF}", log=LENDER, idx=index)
    query = {"case_id": case["case"], "log": LENDER}
    assert (await gaps(desk, "/entries", **query))[0] == ("entry-missing", index + 1, index)
    found = await gaps(desk, **query)
    assert found[0] == ("entry-missing", index + 1, index)
    assert found[-1][0] == "log-incomplete"


@pytest.mark.parametrize("index", [0, 3, 6])
async def test_an_entry_removed_with_its_place_among_the_subjects_is_named(
    desk: Desk, case: dict[str, Any], index: int
) -> None:
    removed = f"DELETE FROM entry_subject WHERE {ENTRY_OF} AND ref = :ref", f"DELETE FROM entry WHERE {ENTRY_OF}"
    await forge(desk, *removed, log=LENDER, idx=index, ref=f"case:{case['case']}")
    query = {"case_id": case["case"], "log": LENDER}
    assert (await gaps(desk, "/entries", **query))[0] == ("number-missing", index + 1, None)
    verdict = await desk.get("/verdict", **query)
    assert (verdict["found"], verdict["expected"]) == (6, 7)


@pytest.mark.dialect
async def test_a_tail_removed_with_its_count_leaves_a_hole_in_the_log(desk: Desk, case: dict[str, Any]) -> None:
    ref = f"case:{case['case']}"
    await forge(
        desk,
        f"DELETE FROM entry_subject WHERE {ENTRY_OF} AND ref = :ref",
        f"DELETE FROM entry WHERE {ENTRY_OF}",
        "UPDATE subject_head SET n = 6 WHERE log_id = :log AND ref = :ref",
        log=LENDER,
        idx=6,
        ref=ref,
    )
    assert [kind for kind, _, _ in await gaps(desk, case_id=case["case"], log=LENDER)] == ["log-incomplete"]


@pytest.mark.dialect
async def test_an_altered_entry_is_named(desk: Desk, case: dict[str, Any]) -> None:
    await forge(desk, f"UPDATE entry SET leaf_hash = client_digest WHERE {ENTRY_OF}", log=LENDER, idx=2)
    assert ("entry-altered", 3, 2) in await gaps(desk, case_id=case["case"], log=LENDER)


@pytest.mark.dialect
async def test_a_last_entry_forged_with_its_hash_is_not_in_the_signed_tree(desk: Desk, case: dict[str, Any]) -> None:
    async with desk.runtime.database.engine.begin() as connection:
        rows = await connection.execute(text("SELECT leaf FROM entry WHERE log_id = :log AND idx = 6"), {"log": LENDER})
        leaf = bytes(rows.scalar_one()).replace(b"1250", b"9250")
    digest = sha256(b"\0" + leaf).digest()
    await forge(
        desk,
        f"UPDATE entry SET leaf = :leaf, leaf_hash = :digest WHERE {ENTRY_OF}",
        log=LENDER,
        idx=6,
        leaf=leaf,
        digest=digest,
    )
    assert await gaps(desk, case_id=case["case"], log=LENDER) == [("unproven", None, 6)]


async def test_an_event_that_never_came_is_named_until_it_comes(desk: Desk, case: dict[str, Any]) -> None:
    case_id = case["case"]
    await desk.hear(held(case_id), subject=case_id, lost=True)
    await desk.hear(paid(case_id), subject=case_id)
    await desk.settle()
    query = {"case_id": case_id, "log": LENDER}
    verdict = (await desk.get("/entries", **query))["verdict"]
    [gap] = verdict["gaps"]
    assert (gap["kind"], gap["aggregate"], gap["version"]) == ("event-missing", f"cases:{case_id}", 5)
    assert f"Event 5 of cases:{case_id} never reached the trail" in verdict["en"]
    assert verdict["expected"] == verdict["found"] + 1
    await desk.hear(referred(case_id), subject=case_id, version=5)  # late, but it came
    await desk.settle()
    assert await gaps(desk, **query) == []
