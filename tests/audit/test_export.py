"""An export proves what it holds: the same bytes for the same question, all entries of a subject, nothing personal."""

import io
import json
import zipfile

import pytest

from services.audit.export.domain import Range, Subject
from services.audit.export.outside.verify import check
from services.audit.settings import AuditSettings
from shared.errors import Invalid, NotFound
from tests.audit.exports import (
    CASE,
    DEBTOR,
    FOREIGN,
    LENDER,
    OTHER,
    SECOND,
    first_events,
    growing_trail,
    members,
    paid,
    read,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path):
    url = None if request.param == "sqlite" else request.getfixturevalue("fresh_database")()
    return AuditSettings(data_dir=tmp_path, database_url=url)


async def test_an_export_of_a_case_holds_all_of_it(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=300))
        export = await trail.export(Subject("case", CASE))
        vkey = trail.vkey
    files = members(export)
    found = check(io.BytesIO(export), vkey)
    assert f"  case:{CASE}: 301 of 301 entries, none missing in between." in found.statements
    assert f"  case:{CASE}: 2 of 2 entries, none missing in between." in found.statements
    leaves = [json.loads(data) for path, data in files.items() if "/entries/" in path]
    assert {leaf["log"] for leaf in leaves} == {LENDER, "access"}
    assert all(any(each["ref"] == f"case:{CASE}" for each in leaf["subjects"]) for leaf in leaves)
    assert str(SECOND) not in b"".join(files.values()).decode()


async def test_the_same_question_at_the_same_sizes_gives_the_same_bytes(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=20))
        first = await trail.export(Subject("case", CASE))
        sizes = {log["log"]: log["size"] for log in json.loads(members(first)["manifest.json"])["logs"]}
        await trail.take(paid(CASE, 90), read(CASE))
        assert await trail.export(Subject("case", CASE), sizes) == first
        later = await trail.export(Subject("case", CASE))
    assert later != first
    assert f"  case:{CASE}: 22 of 22 entries, none missing in between." in check(io.BytesIO(later)).statements


async def test_an_export_of_a_debtor_holds_his_cases(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=3))
        export = await trail.export(Subject("debtor", DEBTOR))
    manifest = json.loads(members(export)["manifest.json"])
    assert manifest["subjects"] == [f"case:{CASE}", f"case:{SECOND}", f"debtor:{DEBTOR}"]
    assert {log["log"]: log["entries"] for log in manifest["logs"]} == {LENDER: 8, "access": 2}
    assert OTHER not in members(export)["manifest.json"].decode()
    check(io.BytesIO(export))


async def test_an_export_of_a_piece_of_a_log(settings):
    async with growing_trail(settings) as trail:
        await trail.take(*first_events(payments=140))
        export = await trail.export(Range(LENDER, 250, 270))
        with pytest.raises(Invalid, match="282 entries"):
            await trail.export(Range(LENDER, 0, 283))
        with pytest.raises(NotFound):
            await trail.export(Range("nobody", 0, 1))
        with pytest.raises(NotFound):
            await trail.export(Subject("visit", FOREIGN))
        with pytest.raises(Invalid, match="no signed checkpoint"):
            await trail.export(Range(LENDER, 0, 1), {LENDER: 10**6})
        with pytest.raises(Invalid, match="leave it out"):
            await trail.export(Subject("case", CASE), {OTHER: 1})
    assert "  Entries 250 to 269: all of them, none left out." in check(io.BytesIO(export)).statements


async def test_every_program_reads_the_file_and_nothing_in_it_is_compressed(tmp_path):
    async with growing_trail(AuditSettings(data_dir=tmp_path)) as trail:
        await trail.take(*first_events(payments=2))
        export = await trail.export(Subject("case", CASE))
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    files = members(export)
    assert {"manifest.json", "manifest.note", "vkey", "VERIFY.md", "verify.py", "go/verify.go"} <= set(files)
    for report in ("report.zh.html", "report.en.html"):
        text = files[report].decode()
        assert f"case:{CASE}" in text
        assert "<script" not in text
        assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
