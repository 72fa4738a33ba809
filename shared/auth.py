"""Who calls, and what they may do. Bearer JWTs are checked against JSON Web Key Sets; every route states its roles.

A route without a rule stops the start-up: `check_rules` walks all of them.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import jwt
from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from shared.clock import monotonic_seconds, system_now
from shared.errors import DomainError, ErrorKind, Forbidden, NotFound, Unavailable
from shared.events.envelope import ActorRef

DEVELOPMENT_ISSUER = "doorstep-development"
SERVICE_ISSUER = "doorstep-services"
ALGORITHMS = ("EdDSA", "RS256")
KEYS_REFETCHED_SECONDS_MIN = 60.0
TOKENS_REMEMBERED_MAX = 10_000
LEEWAY_SECONDS = 30


class Role(StrEnum):
    LENDER = "lender"
    COLLECTOR = "collector"
    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"
    ADMIN = "admin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a request. A service acts on behalf of a person, who is the one that the trail names."""

    subject: str
    roles: frozenset[Role]
    lender_id: str | None = None
    on_behalf_of: ActorRef | None = None

    @property
    def ref(self) -> ActorRef:
        role = min(self.roles) if self.roles else "nobody"
        return self.on_behalf_of or ActorRef(str(role), self.subject)

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)


class Unauthenticated(DomainError):
    """No token, or none that holds. Answered by 401."""

    kind = ErrorKind.FORBIDDEN


class KeySource:
    """The public keys of an issuer, from a file or an address. An unknown key id makes it look again, at most once
    a minute, so that keys roll over without a restart."""

    def __init__(self, *, path: Path | None = None, issuer_url: str | None = None) -> None:
        self._path = path
        self._issuer_url = issuer_url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -KEYS_REFETCHED_SECONDS_MIN
        self._stamp: tuple[int, int] | None = None
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        if self._path is not None:
            self._read_file(self._path)
            return self._keys.get(key_id)
        if key_id not in self._keys:
            async with self._fetching:
                if key_id not in self._keys and monotonic_seconds() - self._fetched_at >= KEYS_REFETCHED_SECONDS_MIN:
                    await self._fetch()
        return self._keys.get(key_id)

    def _read_file(self, path: Path) -> None:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            self._keep(json.loads(path.read_text()))
            self._stamp = stamp

    async def _fetch(self) -> None:
        self._fetched_at = monotonic_seconds()
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                found = await client.get(f"{str(self._issuer_url).rstrip('/')}/.well-known/openid-configuration")
                keys = await client.get(found.raise_for_status().json()["jwks_uri"])
                self._keep(keys.raise_for_status().json())
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise Unavailable(
                "issuer-unreachable", "The identity provider does not answer. Try again in a moment."
            ) from error

    def _keep(self, document: dict[str, Any]) -> None:
        fit = [key for key in document.get("keys", []) if key.get("use", "sig") == "sig" and "kid" in key]
        self._keys = {key["kid"]: jwt.PyJWK(key) for key in fit if key.get("kty") in ("OKP", "RSA")}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose tokens are accepted, and for which roles (None: any but service)."""

    name: str
    keys: KeySource
    roles: frozenset[Role]


@dataclass(slots=True)
class TokenVerifier:
    """Turns a bearer token into an Actor. A token that was checked is remembered by its digest until it expires."""

    issuers: Sequence[Issuer]
    audience: str
    _remembered: OrderedDict[bytes, tuple[float, Actor]] = field(default_factory=OrderedDict)

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises Unauthenticated with a reason that never quotes the token."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(digest)
        if known and known[0] > datetime.now(UTC).timestamp():
            return known[1]
        claims, issuer = await self._checked(token)
        actor = _actor(claims, issuer)
        self._remembered[digest] = (float(claims["exp"]), actor)
        if len(self._remembered) > TOKENS_REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return actor

    async def _checked(self, token: str) -> tuple[dict[str, Any], Issuer]:
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthenticated("token-malformed", "The bearer token is not a JWT.") from error
        issuer = next((issuer for issuer in self.issuers if issuer.name == claimed), None)
        if issuer is None:
            raise Unauthenticated("token-issuer", "The token comes from an issuer that is not accepted here.")
        algorithm = header.get("alg")
        key = await issuer.keys.key(str(header.get("kid", ""))) if algorithm in ALGORITHMS else None
        if key is None or key.algorithm_name != algorithm:
            raise Unauthenticated("token-key", "The token is not signed by a current key of its issuer.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                audience=self.audience,
                issuer=issuer.name,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("token-expired", "The token has expired. Ask for a new one.") from error
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("token-invalid", "The token does not hold for this system.") from error
        return claims, issuer


def _actor(claims: dict[str, Any], issuer: Issuer) -> Actor:
    named = claims.get("roles") or claims.get("realm_access", {}).get("roles") or []
    roles = frozenset(Role(name) for name in named if name in set(Role)) & issuer.roles
    lender_id = claims.get("lender_id")
    if Role.LENDER in roles and not lender_id:
        raise Unauthenticated("token-lender", "A lender's token must name its lender (claim lender_id).")
    behalf = claims.get("on_behalf_of")
    return Actor(str(claims["sub"]), roles, lender_id, ActorRef.parse(behalf) if behalf else None)


def issue_token(
    key: Any,
    *,
    key_id: str,
    issuer: str,
    audience: str,
    subject: str,
    roles: Iterable[Role],
    seconds: int,
    lender_id: str | None = None,
    on_behalf_of: str | None = None,
) -> str:
    """A signed token (EdDSA). For the development issuer and for calls from service to service."""
    now = int(system_now().timestamp())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now + seconds,
        "roles": [str(role) for role in roles],
    }
    if lender_id:
        claims["lender_id"] = lender_id
    if on_behalf_of:
        claims["on_behalf_of"] = on_behalf_of
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": key_id})


class RoleRule:
    """The rule of a route: which roles may call it. Called by FastAPI, it answers with the actor."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Actor:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token-missing", "Send a bearer token in the Authorization header.")
        actor: Actor = await request.app.state.runtime.verifier.actor(token.strip())
        request.state.actor = actor
        if not actor.has(*self.roles):
            # A lender must not learn what exists; our own people may know that it is somebody else's work.
            if actor.has(Role.LENDER):
                raise NotFound("not-found", "There is no such thing here.")
            raise Forbidden("role", f"This needs one of the roles {', '.join(sorted(self.roles))}.")
        return actor


def allow(*roles: Role) -> Any:
    """For a route's signature: `actor: Annotated[Actor, allow(Role.SUPERVISOR)]`."""
    return Depends(RoleRule(frozenset(roles)))


class Public:
    """The rule of a route that anybody may call (health, contracts)."""

    async def __call__(self) -> None: ...


public = Depends(Public())


class RouteWithoutRule(RuntimeError):
    """A route does not say who may call it. The service does not start."""


def rules_of(routes: Sequence[BaseRoute]) -> dict[str, frozenset[Role] | None]:
    """Every route with its roles (None: public). Raises RouteWithoutRule for one that has none."""
    matrix: dict[str, frozenset[Role] | None] = {}
    for context in iter_route_contexts(routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        name = f"{','.join(sorted(context.methods or ()))} {context.path}"
        calls = [dependency.call for dependency in _all_of(context.dependant)]
        found = [call for call in calls if isinstance(call, RoleRule | Public)]
        if not found:
            raise RouteWithoutRule(f"{name} does not say who may call it: give it allow(…) or public")
        matrix[name] = found[0].roles if isinstance(found[0], RoleRule) else None
    return matrix


def _all_of(dependant: Dependant) -> list[Dependant]:
    return [dependant, *(deeper for child in dependant.dependencies for deeper in _all_of(child))]
