"""The report as its readers meet it: in a browser, on a phone and on paper; whole by itself, in both languages."""

import re
import shutil

import pytest
from playwright.async_api import async_playwright

from services.audit.export.domain import Subject
from services.audit.export.words import WORDS
from services.audit.settings import AuditSettings
from tests.audit.exports import CASE, first_events, growing_trail, members

pytestmark = pytest.mark.slow


@pytest.fixture
async def reports(tmp_path):
    """The two reports of an export, as files: its own folder of links beside them."""
    async with growing_trail(AuditSettings(data_dir=tmp_path / "data")) as trail:
        await trail.take(*first_events(payments=60))
        files = members(await trail.export(Subject("case", CASE)))
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    return {language: tmp_path / f"report.{language}.html" for language in WORDS}


async def test_it_fits_screens_and_paper_and_asks_for_nothing(reports):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not there: install Debian's packages chromium and fonts-noto-cjk")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for report in reports.values():
            page = await browser.new_page()
            asked, said = [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            for width in (390, 1200):
                await page.set_viewport_size({"width": width, "height": 900})
                await page.goto(report.as_uri())
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert set(asked) == {report.as_uri()}
            assert said == []
            printed = await page.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 2
            await page.locator("table.lines a").first.click()
            assert '"subjects"' in await page.content()
        await browser.close()


def test_both_languages_say_the_same_things():
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert WORDS["zh"]["kinds"].keys() == WORDS["en"]["kinds"].keys()
    assert len(WORDS["zh"]["steps"]) == len(WORDS["en"]["steps"])


async def test_it_tells_what_happened_by_the_clock_of_the_place(reports):
    told = {language: report.read_text() for language, report in reports.items()}
    assert "委案成立：信用卡，欠款 TWD 250,000" in told["zh"]
    assert "The case was opened: credit card, TWD 250,000 owed" in told["en"]
    assert "Asia/Taipei" in told["zh"]
    assert "09:01:00" in told["en"]  # 01:01 UTC
    assert "62 筆中的 62 筆" not in told["zh"]
    assert "61 筆中的 61 筆" in told["zh"]
