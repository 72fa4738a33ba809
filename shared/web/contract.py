"""The OpenAPI document of a service and the page that shows it, open to everybody. The page takes nothing from outside:
its script and its styles are files of an installed package.
"""

from importlib.metadata import distribution
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from shared.auth import public
from shared.errors import NotFound
from shared.web.requests import DoorstepRoute

PACKAGE = "fastapi-swagger"
SCRIPT, STYLES, ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"
MEDIA_TYPES = {SCRIPT: "text/javascript", STYLES: "text/css", ICON: "image/png"}
ASSETS_KEPT = {"Cache-Control": "public, max-age=86400"}
# Without this, the page sends its address to a validator outside. A token is not kept when the page is closed.
PARAMETERS = {"validatorUrl": None, "persistAuthorization": False}


def contract_router(app: FastAPI, name: str) -> APIRouter:
    """The routes of the document and of its page."""
    root = f"/{name}/v1"
    router = APIRouter(prefix=root, dependencies=[public], include_in_schema=False, route_class=DoorstepRoute)
    files = {asset: _file_of(asset) for asset in MEDIA_TYPES}

    @router.get("/openapi.json")
    async def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=f"{root}/openapi.json",
            title=app.title,
            swagger_js_url=f"{root}/docs/assets/{SCRIPT}",
            swagger_css_url=f"{root}/docs/assets/{STYLES}",
            swagger_favicon_url=f"{root}/docs/assets/{ICON}",
            swagger_ui_parameters=PARAMETERS,
        )

    @router.get("/docs/assets/{asset}", response_class=FileResponse)
    async def get_asset(asset: str) -> FileResponse:
        if asset not in files:
            raise NotFound("not-found", "There is no such file here.")
        return FileResponse(files[asset], media_type=MEDIA_TYPES[asset], headers=ASSETS_KEPT)

    return router


def _file_of(asset: str) -> Path:
    """Where the package is installed. No code of it is imported."""
    return Path(str(distribution(PACKAGE).locate_file(f"fastapi_swagger/resources/{asset}")))
