"""Problem details (RFC 9457): the one place where an error becomes an HTTP status.

A problem says what is wrong, where, and how to mend it; it never repeats the value that was wrong.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.bodies import malformed as malformed_request
from shared.bodies import places_of
from shared.claims import Unauthenticated
from shared.errors import DomainError, ErrorKind
from shared.storage import out_of_storage, says_full
from shared.telemetry import Log

MEDIA_TYPE = "application/problem+json"

STATUS = {
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.CONFLICT: 409,
    ErrorKind.INVALID: 422,
    ErrorKind.STALE_VERSION: 412,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.OUT_OF_STORAGE: 507,
}

RETRY_AFTER_SECONDS = {ErrorKind.UNAVAILABLE: 1, ErrorKind.OUT_OF_STORAGE: 60}

_log = Log("web")


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **fields: Any) -> JSONResponse:
    """A problem document. `code` is stable; further fields say where."""
    content = {"type": f"urn:doorstep:problem:{code}", "title": code, "status": status, "detail": detail, **fields}
    return JSONResponse(content, status, media_type=MEDIA_TYPE, headers=headers)


def add_problem_handlers(app: FastAPI) -> None:
    @app.exception_handler(DomainError)
    async def domain_error(_request: Request, error: DomainError) -> JSONResponse:
        if isinstance(error, Unauthenticated):
            return problem(401, error.code, error.detail, {"WWW-Authenticate": f'Bearer error="{error.code}"'})
        wait = RETRY_AFTER_SECONDS.get(error.kind)
        headers = {"Retry-After": str(wait)} if wait else None
        return problem(STATUS[error.kind], error.code, error.detail, headers, **error.fields)

    @app.exception_handler(OSError)
    async def disk_full(request: Request, error: OSError) -> JSONResponse:
        """A temporary file found no room; any other error of the system goes on up."""
        if not says_full(error):
            raise error
        return await domain_error(request, out_of_storage())

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        refused = malformed_request(places_of(error.errors()))
        return await domain_error(_request, refused)

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
        code = codes.get(error.status_code, "http-error")
        return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("request failed", reason=type(error).__name__, request_id=getattr(request.state, "request_id", ""))
        return problem(500, "internal", "Something went wrong on our side. Nothing of this request was kept.")
