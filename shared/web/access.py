"""One line in the log for every request, and what every answer carries: ids, and headers that protect what it shows.

The line names subject, role, method, route template, status, code of the problem, milliseconds and ids; never an
address, a parameter or a value. A subject that may name a person (an e-mail address, a distinguished name, a number of
a phone or of an identity card, anything with spaces or outside ASCII) is written as a keyed digest, `~` and 12 digits:
the same person has the same digest within one deployment. Polls of health and metrics are logged at DEBUG.

The request's own id, always new, is the correlation id of all events that the request causes. A client's X-Request-Id
is echoed and logged as `client_request_id`, and used for nothing else.
"""

import re
from hashlib import blake2b

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.auth import Actor
from shared.clock import monotonic_seconds
from shared.ids import new_id
from shared.telemetry import REFUSALS, REQUESTS, Log
from shared.tracing import RequestSpan
from shared.web.limits import UNLIMITED
from shared.web.problems import internal

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NUMBER_OF_A_PERSON = r"(?:.*[:|/])?[A-Za-z]?\d{7,}[A-Za-z]?$"  # perhaps behind the name of a provider, as in sms|…
_IMPERSONAL = re.compile(rf"(?!{_NUMBER_OF_A_PERSON})[A-Za-z0-9._:|/-]{{1,80}}")
_NONE = "(none)"
_log = Log("access")


def subject_in_log(subject: str, key: bytes) -> str:
    """A subject as the log may show it: as it is, or its keyed digest where it may name a person."""
    if _IMPERSONAL.fullmatch(subject):
        return subject
    return "~" + blake2b(subject.encode("utf-8", "replace"), digest_size=6, key=key).hexdigest()


class Access:
    """The outermost layer of an app: ids, headers, spans, counts and the access log. An error that is our fault becomes
    a problem document here, so that it carries the ids too and the connection stays usable."""

    def __init__(self, app: ASGIApp, service: str, key: bytes) -> None:
        self._app = app
        self._service = service
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        own_id, given = str(new_id()), headers.get("x-request-id", "")
        client_id = given if _REQUEST_ID.fullmatch(given) else None
        state["correlation_id"] = own_id
        span = RequestSpan(self._service, scope["method"], headers.get("traceparent"))
        state["traceparent"] = span.traceparent
        started, status = monotonic_seconds(), 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = client_id or own_id
                answer["X-Correlation-Id"] = own_id
                answer["X-Content-Type-Options"] = "nosniff"
                is_stream = answer.get("Content-Type", "").startswith("text/event-stream")
                if is_stream or "Cache-Control" not in answer:  # FastAPI itself says no-cache of a stream of events
                    answer["Cache-Control"] = "no-store"
            await send(message)

        try:
            await self._app(scope, receive, send_dressed)
        except Exception as error:
            _log.crash("request failed", error, service=self._service, route=_route(scope), request_id=own_id)
            if status:
                raise  # the answer has begun: the server ends the connection, so that it is not taken for whole
            await internal()(scope, receive, send_dressed)
        finally:
            seconds = monotonic_seconds() - started
            span.end(_route(scope), status)
            REQUESTS.labels(self._service, scope["method"], _route(scope), status).observe(seconds)
            self._write(scope, status, seconds, client_id)

    def _write(self, scope: Scope, status: int, seconds: float, client_id: str | None) -> None:
        """The line of the access log, and the count of refusals. Status 0: the caller went away before the answer."""
        state, fields = scope["state"], {}
        if status >= 400:
            fields["code"] = state.get("problem", f"status-{status}")
            REFUSALS.labels(self._service, fields["code"]).inc()
        actor: Actor | None = state.get("actor")
        if actor is not None:
            fields["subject"] = subject_in_log(actor.subject, self._key)
            fields["role"] = ",".join(sorted(actor.roles))
        if client_id is not None:
            fields["client_request_id"] = client_id
        write = _log.warning if status >= 500 else _log.debug if scope["path"] in UNLIMITED else _log.info
        write(
            "request",
            service=self._service,
            method=scope["method"],
            route=_route(scope),
            status=status,
            milliseconds=round(1000 * seconds, 1),
            request_id=state["correlation_id"],
            **fields,
        )


def write_refusal(status: int, code: str, seconds: float, request_id: str) -> None:
    """The line of a request that no app sees, since its header is not HTTP, too large or too slow."""
    REFUSALS.labels(_NONE, code).inc()
    _log.info(
        "request",
        service=_NONE,
        method=_NONE,
        route=_NONE,
        status=status,
        milliseconds=round(1000 * seconds, 1),
        request_id=request_id,
        code=code,
    )


def _route(scope: Scope) -> str:
    """The template of the route, never the address: it may hold ids."""
    return getattr(scope.get("route"), "path", _NONE)
