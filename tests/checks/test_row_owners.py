"""The check of row owners fails on a write of each kind, and passes what is allowed."""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from checks.row_debts import Debt, Write
from checks.row_owners import foreign_writes, problems

TABLES = """
from sqlmodel import Field, SQLModel

class HoldRow(SQLModel, table=True):
    __tablename__ = "hold"
    id: int
    reason: str
    facts: dict[str, str]

    def end(self) -> None:
        self.reason = ""

    @property
    def is_over(self) -> bool:
        return self.reason == ""

    @classmethod
    def of(cls, reason: str) -> "Self":
        return cls(reason=reason)

ENTRY = Table("entry", METADATA)
"""
USECASES = """
from services.cases.holds.tables import HoldRow

async def lock(tx, number: int) -> HoldRow | None: ...
async def lock_all(tx) -> dict[int, HoldRow]: ...
def in_pairs() -> list[tuple[int, HoldRow]]: ...

def place(tx, hold: HoldRow) -> None:
    hold.reason = "its own room may"
    tx.session.add(HoldRow(id=1))
"""
ROOM = """
import asyncio
from dataclasses import dataclass
from sqlalchemy import delete, insert, select, update
from services.cases.holds import usecases as holds
from services.cases.holds.tables import ENTRY, HoldRow
from shared.bulk import upsert_rows

@dataclass
class Work:
    hold: HoldRow
    held: list[HoldRow]

def pick(number: int) -> HoldRow: ...

async def act(tx, row: HoldRow, work: Work, rows: dict[int, HoldRow], other):
"""
BAD = [
    ("HoldRow(id=1)", "constructs HoldRow"),
    ("HoldRow.of('x')", "constructs HoldRow"),
    ("HoldRow.model_validate({})", "constructs HoldRow"),
    ("row.model_copy()", "constructs HoldRow"),
    ("tx.session.add(row)", "adds HoldRow"),
    ("tx.session.add_all([row for row in rows.values()])", "adds HoldRow"),
    ("await tx.session.merge(work.hold)", "adds HoldRow"),
    ("await tx.session.execute(insert(HoldRow), [{}])", "inserts HoldRow"),
    ("await tx.session.execute(ENTRY.insert())", "inserts ENTRY"),
    ("await upsert_rows(tx, HoldRow.__table__, [])", "inserts HoldRow"),
    ("await upsert_rows(tx, HoldRow.metadata.tables['hold'], [])", "inserts HoldRow"),
    ("for table, _ in ((HoldRow, 1), (other, 2)):\n    insert(table)", "inserts HoldRow"),
    ("update(HoldRow).values(reason='x')", "updates HoldRow"),
    ("ENTRY.update()", "updates ENTRY"),
    ("tx.session.execute(text('UPDATE hold SET reason = 1'))", "updates HoldRow"),
    ("delete(HoldRow)", "deletes HoldRow"),
    ("await tx.session.delete(row)", "deletes HoldRow"),
    ("sql = f'delete from entry where id = {other}'", "deletes ENTRY"),
    ("row.reason = 'x'", "assigns HoldRow.reason"),
    ("row.id += 1", "assigns HoldRow.id"),
    ("del row.reason", "assigns HoldRow.reason"),
    ("other.x, row.reason = 1, 'x'", "assigns HoldRow.reason"),
    ("row.facts['a'] = 'b'", "assigns HoldRow.facts"),
    ("row.facts.update(a='b')", "assigns HoldRow.facts"),
    ("setattr(row, 'reason', 'x')", "assigns HoldRow.reason"),
    ("row.end()", "assigns HoldRow.end()"),
    ("row.sqlmodel_update({})", "assigns HoldRow.sqlmodel_update()"),
    ("rows[1].reason = 'x'", "assigns HoldRow.reason"),
    ("rows.get(1).reason = 'x'", "assigns HoldRow.reason"),
    ("work.hold.reason = 'x'", "assigns HoldRow.reason"),
    ("for each in work.held:\n    each.reason = 'x'", "assigns HoldRow.reason"),
    ("for _, each in rows.items():\n    each.reason = 'x'", "assigns HoldRow.reason"),
    ("for _, each in holds.in_pairs():\n    each.reason = 'x'", "assigns HoldRow.reason"),
    ("for a, b in zip([1], work.held):\n    b.reason = 'x'", "assigns HoldRow.reason"),
    ("for n, each in enumerate(sorted(work.held)):\n    each.reason = 'x'", "assigns HoldRow.reason"),
    ("found = await holds.lock(tx, 1)\nfound.reason = 'x'", "assigns HoldRow.reason"),
    ("(await holds.lock_all(tx))[1].reason = 'x'", "assigns HoldRow.reason"),
    ("pick(1).reason = 'x'", "assigns HoldRow.reason"),
    ("found = await tx.session.get(HoldRow, 1)\nfound.reason = 'x'", "assigns HoldRow.reason"),
    (
        "for each in await tx.session.scalars(select(HoldRow).limit(1)):\n    each.reason = 'x'",
        "assigns HoldRow.reason",
    ),
    ("one = (await tx.session.execute(select(HoldRow, ENTRY))).one()\none[0].id = 1", "assigns HoldRow.id"),
    ("(await tx.session.scalar(select(HoldRow))).id = 1", "assigns HoldRow.id"),
    ("if other and (found := rows[1]):\n    found.reason = 'x'", "assigns HoldRow.reason"),
    ("one = next(iter(work.held), None)\none.reason = 'x'", "assigns HoldRow.reason"),
    ("one = row if other else work.hold\none.reason = 'x'", "assigns HoldRow.reason"),
    ("done = await asyncio.to_thread(pick, 1)\ndone.reason = 'x'", "assigns HoldRow.reason"),
    ("def inner():\n    row.reason = 'x'", "assigns HoldRow.reason"),
    ("with other as w:\n    try:\n        row.reason = 'x'\n    finally:\n        pass", "assigns HoldRow.reason"),
]
GOOD = [
    "await holds.place(tx, row)",
    "reason = row.reason",
    "other.reason = 'x'",
    "work.hold = row",
    "work.held.append(row)",
    "rows[1] = row",
    "select(HoldRow).where(HoldRow.id == 1)",
    "say('insert or update hold when there is time; delete nothing from hold')",
    "row.is_over",
    "row.model_dump()",
]


def room(tmp_path: Path, code: str) -> Path:
    """A tree with the room holds, which owns the tables, and the room desk, which runs this code."""
    files = {
        "holds/tables.py": TABLES,
        "holds/usecases.py": USECASES,
        "desk/usecases.py": ROOM + indent(dedent(code), "    "),
    }
    for name, text in files.items():
        path = tmp_path / "services/cases" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(("code", "wrong"), BAD)
def test_a_write_of_another_rooms_row_is_found_and_named(tmp_path, code, wrong):
    found = foreign_writes(room(tmp_path, code))
    assert [str(each.write).partition(" ")[2] for each in found] == [wrong]
    [sentence] = problems(found, [])
    assert sentence.startswith("services/cases/desk/usecases.py:")
    assert "services.cases.holds" in sentence


@pytest.mark.parametrize("code", GOOD)
def test_reading_and_asking_the_owner_is_allowed(tmp_path, code):
    assert foreign_writes(room(tmp_path, code)) == []


def test_a_known_debt_passes_until_it_is_paid(tmp_path):
    debt = Debt(Write("services.cases.desk.usecases.act", "HoldRow", "assigns", "reason"), 16)
    owed = foreign_writes(room(tmp_path, "row.reason = 'x'"))
    assert problems(owed, [debt]) == []
    [paid] = problems(foreign_writes(room(tmp_path, "pass")), [debt])
    assert "take off a debt that is paid" in paid
    [another] = problems(foreign_writes(room(tmp_path, "row.reason = 'x'\nrow.id = 1")), [debt])
    assert "HoldRow.id" in another
    assert problems(owed, [debt, debt]) == ["checks/row_debts.py lists a debt twice."]


def test_a_program_is_no_room(tmp_path):
    path = room(tmp_path, "pass") / "services/cli/mend.py"
    path.parent.mkdir()
    path.write_text("from services.cases.holds.tables import HoldRow\nROW = HoldRow(id=1)\n")
    assert [str(each.write) for each in foreign_writes(tmp_path)] == ["services.cli.mend constructs HoldRow"]
