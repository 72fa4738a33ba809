"""The page of an API: it works where nothing outside answers, and lets its reader send a token."""

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from services.embedded import PARTS


@pytest.mark.parametrize("service", sorted(PARTS))
def test_page_document_and_files_are_open_and_name_no_address_outside(house, service):
    page = httpx.get(f"{house.url}/{service}/v1/docs")
    assert page.status_code == 200
    assert "http:" not in page.text
    assert "https:" not in page.text
    for asset, kind in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css"),
                        ("favicon-32x32.png", "image/png")):  # fmt: skip
        assert f"/{service}/v1/docs/assets/{asset}" in page.text
        found = httpx.get(f"{house.url}/{service}/v1/docs/assets/{asset}")
        assert (found.status_code, found.headers["content-type"].partition(";")[0]) == (200, kind)
        assert len(found.content) > 500
    for asset in ("main.py", "__init__.py", "..%2Fmain.py", "%2e%2e/main.py"):
        assert httpx.get(f"{house.url}/{service}/v1/docs/assets/{asset}").status_code == 404


@pytest.mark.parametrize("service", sorted(PARTS))
def test_the_document_asks_for_a_token_where_the_route_does(house, service):
    document = httpx.get(f"{house.url}/{service}/v1/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"] | {"description": ""} == {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "",
    }  # fmt: skip
    open_to_all = {
        path for path, operations in document["paths"].items() for operation in operations.values()
        if operation.get("security") != [{"bearer": []}]
    }  # fmt: skip
    assert open_to_all == {"/health/live", "/health/ready", "/metrics"}


@pytest.mark.slow
def test_the_page_in_a_browser_without_internet(chromium, house, tmp_path):
    """By another name than localhost, since the page treats that one differently."""
    address = house.url.rstrip("/").replace("127.0.0.1", "doorstep.test")
    names = "--host-resolver-rules=MAP doorstep.test 127.0.0.1, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", names])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{address}/cases/v1/docs")
        page.get_by_text("/cases/v1/cases/{case_id}/holds").first.wait_for()
        assert page.locator(".opblock").count() > 20
        page.screenshot(path=tmp_path / "docs.png")
        token = house.supervisor.headers["Authorization"].removeprefix("Bearer ")
        assert _tried(page, "/cases/v1/cases", token) == 200
        page.screenshot(path=tmp_path / "tried.png")
        assert {url.partition("/cases/")[0] for url in asked if not url.startswith("data:")} == {address}
        assert said == []
        browser.close()


def _tried(page: Page, path: str, token: str) -> int:
    """Give the page a token, call a route by its form, and return the status that the page shows."""
    page.get_by_role("button", name="Authorize").click()
    page.locator(".auth-container input").fill(token)
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux").get_by_role("button", name="Close").click()
    route = page.locator(".opblock-get").filter(has=page.locator(f'[data-path="{path}"]'))
    route.locator(".opblock-summary-control").click()
    route.get_by_role("button", name="Try it out").click()
    route.get_by_role("button", name="Execute").click()
    shown = route.locator(".live-responses-table .response-col_status").last
    shown.wait_for()
    return int(shown.inner_text().split()[0])
