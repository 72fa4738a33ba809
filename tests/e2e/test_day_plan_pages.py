"""The pages of a day plan in a real browser: the map takes nothing from outside and lets a team be hidden, the sheet
prints on paper."""

import re

import pytest
from playwright.sync_api import sync_playwright

from tests.actors.samples import MONDAY, at, row
from tests.house import running_house


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """A house with a published plan of two teams; its address, the plan and a team that goes out."""
    with running_house(tmp_path_factory.mktemp("pages"), at(MONDAY, 8)) as house:
        lender = house.lender()
        lender.place(*(row(f"A-{n}", balance=250_000 + n, lat=f"25.0{n}", lon=f"121.5{n}") for n in range(1, 9)))
        house.verify_addresses(list(lender.cases().values()))
        house.quiet()
        teams = [house.team().id, house.team().id]
        wish = {"day": str(MONDAY), "team_ids": teams, "iterations": 100, "visits_per_team_max": 4}
        path = f"/visits/v1/day-plans/{house.planned(wish)['id']}"
        yield house, path, house.supervisor.get(f"{path}/routes")["items"][0]["team_id"]


@pytest.mark.slow
def test_map_and_sheet_in_a_browser(chromium, planned, tmp_path):
    house, path, team = planned
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(extra_http_headers=house.supervisor.headers, viewport={"width": 1200, "height": 900})
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{house.url.rstrip('/')}{path}/map")
        ways = page.locator("polyline:visible")
        assert ways.count() == 2
        page.screenshot(path=tmp_path / "map.png")
        page.locator("input[type=checkbox]").first.uncheck()
        assert ways.count() == 1
        page.locator("input[type=checkbox]").first.check()
        assert ways.count() == 2
        page.goto(f"{house.url.rstrip('/')}{path}/teams/{team}/sheet")
        page.screenshot(path=tmp_path / "sheet.png", full_page=True)
        assert "外訪行程單" in page.content()
        printed = page.pdf(format="A4")
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 3
        assert {url.partition("/visits/")[0] for url in asked} == {house.url.rstrip("/")}
        assert said == []
        browser.close()
