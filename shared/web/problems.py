"""Problem details (RFC 9457): the one place where an error becomes an HTTP status.

A problem says what is wrong, where, and how to mend it; it never repeats the value that was wrong.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from shared.bodies import malformed as malformed_request
from shared.bodies import places_of
from shared.claims import Unauthenticated
from shared.errors import DomainError, ErrorKind, TooOften
from shared.storage import out_of_storage, says_full

MEDIA_TYPE = "application/problem+json"

STATUS = {
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.GONE: 410,
    ErrorKind.CONFLICT: 409,
    ErrorKind.INVALID: 422,
    ErrorKind.STALE_VERSION: 412,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.TOO_SLOW: 408,
    ErrorKind.TOO_OFTEN: 429,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.OUT_OF_STORAGE: 507,
}

RETRY_AFTER_SECONDS = {ErrorKind.UNAVAILABLE: 1, ErrorKind.OUT_OF_STORAGE: 60}


class Problem(JSONResponse):
    """A problem document. It leaves its code in the request's state, for the access log and the count of refusals."""

    media_type = MEDIA_TYPE

    def __init__(self, code: str, content: Any, status: int, headers: dict[str, str] | None) -> None:
        super().__init__(content, status, headers)
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["problem"] = self._code
        await super().__call__(scope, receive, send)


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **fields: Any) -> Problem:
    """A problem document. `code` is stable; further fields say where."""
    return Problem(code, document(status, code, detail, **fields), status, headers)


def document(status: int, code: str, detail: str, **fields: Any) -> dict[str, Any]:
    """The members of a problem document."""
    return {"type": f"urn:doorstep:problem:{code}", "title": code, "status": status, "detail": detail, **fields}


def problem_of(error: DomainError) -> Problem:
    """The answer to an error that a caller can act on."""
    if isinstance(error, Unauthenticated):
        return problem(401, error.code, error.detail, {"WWW-Authenticate": f'Bearer error="{error.code}"'})
    headers = {}
    if error.kind in RETRY_AFTER_SECONDS:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS[error.kind])
    if error.kind is ErrorKind.TOO_SLOW:
        headers["Connection"] = "close"  # the rest of the body may still come
    if isinstance(error, TooOften):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return problem(STATUS[error.kind], error.code, error.detail, headers, **error.fields)


def internal() -> Problem:
    """The answer to an error that is our fault."""
    return problem(500, "internal", "Something went wrong on our side. Nothing of this request was kept.")


def add_problem_handlers(app: FastAPI) -> None:
    @app.exception_handler(DomainError)
    async def domain_error(_request: Request, error: DomainError) -> Problem:
        return problem_of(error)

    @app.exception_handler(OSError)
    async def disk_full(_request: Request, error: OSError) -> Problem:
        """A temporary file found no room; any other error of the system goes on up."""
        if not says_full(error):
            raise error
        return problem_of(out_of_storage())

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Problem:
        return problem_of(malformed_request(places_of(error.errors())))

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> Problem:
        codes = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
        code = codes.get(error.status_code, "http-error")
        return problem(error.status_code, code, str(error.detail), dict(error.headers or {}))
