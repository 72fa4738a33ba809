"""What a route asks for in its signature: a transaction, a version to compare with. (Pages: shared.web.paging.)

The transaction commits after the route's function and before the reply is sent. Where the caller sent an
Idempotency-Key, the key is claimed in the same transaction and the reply is stored in it.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from shared.auth import Actor, RoleRule, all_of
from shared.database import Context, Transaction
from shared.errors import StaleVersion
from shared.idempotency import Claim, StoredReply, claim
from shared.web.body_reader import BodyRule, covered_by_key, with_body
from shared.web.parameters import check_parameters, parameters_of

METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT_HEADERS = ("content-type", "location", "etag")


class Replay(Exception):
    """This request was answered before: here is that answer."""

    def __init__(self, reply: StoredReply) -> None:
        super().__init__()
        self.reply = reply


def context_of(request: Request) -> Context:
    """Actor, lender and thread of this request: whose rows it sees, and what the events that it causes name."""
    actor: Actor = request.state.actor
    return Context(
        actor=actor.ref,
        correlation_id=request.state.correlation_id,
        traceparent=request.state.traceparent,
        lender_id=actor.lender_id,
    )


async def open_transaction(request: Request) -> AsyncIterator[Transaction]:
    """A writing transaction at the present business time. Declare it after the actor."""
    runtime = request.app.state.runtime
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    body = await request.body() if key is not None else b""
    async with runtime.database.transaction(context_of(request)) as tx:
        tx.now = await runtime.clock.now(tx)
        if key is not None:
            covered = covered_by_key(body, request.state.of_the_attempt)
            request.state.claim = await _claim(request, tx, key, covered)
        yield tx


async def _claim(request: Request, tx: Transaction, key: str, body: bytes) -> Claim:
    runtime = request.app.state.runtime
    actor: Actor = request.state.actor
    claimed = await claim(
        tx,
        runtime.service.tables.idempotency,
        caller=f"{actor.subject}/{actor.lender_id or ''}",
        route=f"POST {request.url.path}",
        key=key,
        body=request.url.query.encode() + b"\0" + body,
    )
    if isinstance(claimed, StoredReply):
        raise Replay(claimed)
    return claimed


async def open_reading(request: Request) -> AsyncIterator[Transaction]:
    runtime = request.app.state.runtime
    async with runtime.database.reading(context_of(request)) as tx:
        tx.now = await runtime.clock.now(tx)
        yield tx


Tx = Annotated[Transaction, Depends(open_transaction, scope="function")]
ReadTx = Annotated[Transaction, Depends(open_reading, scope="function")]


class DoorstepRoute(APIRoute):
    """A route that knows its caller before it reads the body, refuses parameters it does not know, and has the body
    before it runs: a slow sender keeps no transaction open, and a stranger's body is never read. Replays or stores
    replies of requests with an Idempotency-Key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        parameters = parameters_of(self.dependant)
        rules = [dependency.call for dependency in all_of(self.dependant)]
        roles = next((rule for rule in rules if isinstance(rule, RoleRule)), None)
        body = next((rule for rule in rules if isinstance(rule, BodyRule)), BodyRule())

        async def handle_once(request: Request) -> Response:
            if roles is not None:
                await roles(request)
            check_parameters(request, parameters)
            request.state.of_the_attempt = body.of_the_attempt
            if request.method in METHODS_WITH_BODY:
                request = await with_body(request, body, request.app.state.runtime.settings)
            try:
                response = await handle(request)
            except Replay as replay:
                reply = replay.reply
                return Response(reply.body, reply.status, {**reply.headers, "Idempotent-Replayed": "true"})
            held: Claim | None = getattr(request.state, "claim", None)
            if held is not None and response.status_code < 500:
                kept = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
                await held.store(StoredReply(response.status_code, kept, bytes(response.body)))
            return response

        return handle_once


def etag(version: int) -> str:
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The version that the caller has seen, if it said so."""

    value: str | None

    def check(self, version: int) -> None:
        """Raises StaleVersion when another request changed the thing meanwhile."""
        if self.value is not None and self.value not in ("*", etag(version)):
            raise StaleVersion("version", "Another request changed it first. Read it again, then repeat.")


async def if_match(value: Annotated[str | None, Header(alias="If-Match")] = None) -> IfMatch:
    return IfMatch(value)


SeenVersion = Annotated[IfMatch, Depends(if_match)]
