"""Who calls, and what they may do. Bearer JWTs are checked against JSON Web Key Sets; every route states its roles.

A route without a rule stops the start-up: `check_rules` walks all of them.
"""

import asyncio
import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import jwt
from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security.base import SecurityBase
from starlette.routing import BaseRoute

from shared.claims import Claims, Unauthenticated
from shared.clock import monotonic_seconds, system_now
from shared.errors import Forbidden, NotFound, Unavailable
from shared.events.envelope import ActorRef

DEVELOPMENT_ISSUER = "doorstep-development"
SERVICE_ISSUER = "doorstep-services"
ALGORITHMS = ("EdDSA", "RS256")
KEYS_REFETCHED_SECONDS_MIN = 60.0
KEYS_KEPT_SECONDS = 300.0
TOKEN_CHARACTERS_MAX = 16_384
TOKENS_REMEMBERED_MAX = 10_000
TOKEN_REMEMBERED_SECONDS_MAX = 60
LEEWAY_SECONDS = 30


class Role(StrEnum):
    """What a person may do here; docs/roles.md shows it route by route. Decided in docs/decisions/0038."""

    LENDER = "lender"
    COLLECTOR = "collector"
    CALLER = "caller"
    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"
    ADMIN = "admin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of a request. A service acts on behalf of a person, who is the one that the trail names.
    `token_ends_at` is in seconds since 1970, system time. A lender's actor has the role lender and no other."""

    subject: str
    roles: frozenset[Role]
    lender_id: str | None = None
    on_behalf_of: ActorRef | None = None
    token_ends_at: float = math.inf

    @property
    def ref(self) -> ActorRef:
        role = min(self.roles) if self.roles else "nobody"
        return self.on_behalf_of or ActorRef(str(role), self.subject)

    @property
    def by_phone_only(self) -> bool:
        """Whether the phone is all that this actor's roles are for: a caller who is nothing more."""
        return Role.CALLER in self.roles and not self.has(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)


class KeySource:
    """The public keys of an issuer, from a file or an address. An unknown key id makes it look again, at most once
    a minute, so that keys roll over without a restart. Keys from an address are fetched again after five minutes, so
    that a removed key ends; while the issuer does not answer, the last known keys count."""

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
                if key_id not in self._keys and self._older_than(KEYS_REFETCHED_SECONDS_MIN):
                    await self._fetch()
        elif self._older_than(KEYS_KEPT_SECONDS):
            with suppress(Unavailable):
                await self._fetch()
        return self._keys.get(key_id)

    def _older_than(self, seconds: float) -> bool:
        return monotonic_seconds() - self._fetched_at >= seconds

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
        self._keys = keys_in(document)


def keys_in(document: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    """The signing keys of a JSON Web Key Set by their ids. Keys of other kinds are passed over."""
    fit = [key for key in document.get("keys", []) if key.get("use", "sig") == "sig" and "kid" in key]
    return {key["kid"]: jwt.PyJWK(key) for key in fit if key.get("kty") in ("OKP", "RSA")}


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose tokens are accepted, and the roles that it may give."""

    name: str
    keys: KeySource
    roles: frozenset[Role]

    @property
    def speaks_for_people(self) -> bool:
        """Whether its claim `on_behalf_of` counts: only that of the services' issuer."""
        return Role.SERVICE in self.roles


@dataclass(slots=True)
class TokenVerifier:
    """Turns a bearer token into an Actor. A checked token is remembered by its digest for a minute, and never longer
    than until it expires: so long at most counts a token whose key was removed."""

    issuers: Sequence[Issuer]
    audience: str
    _remembered: OrderedDict[bytes, tuple[float, Actor]] = field(default_factory=OrderedDict)

    async def actor(self, token: str) -> Actor:
        """Who holds this token. Raises Unauthenticated with a reason that never quotes the token."""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("token-too-long", f"A token has at most {TOKEN_CHARACTERS_MAX} characters.")
        digest = hashlib.sha256(token.encode()).digest()
        now = system_now().timestamp()
        known = self._remembered.get(digest)
        if known and known[0] > now:
            return known[1]
        claims, issuer = await self._checked(token)
        actor = _actor(claims, issuer)
        self._remembered[digest] = (min(claims.exp, now + TOKEN_REMEMBERED_SECONDS_MAX), actor)
        if len(self._remembered) > TOKENS_REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return actor

    async def _checked(self, token: str) -> tuple[Claims, Issuer]:
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("token-malformed", "The bearer token is not a JWT.") from error
        issuer = next((issuer for issuer in self.issuers if issuer.name == claimed), None)
        if issuer is None:
            raise Unauthenticated("token-issuer", "The token comes from an issuer that is not accepted here.")
        algorithm = header.get("alg")
        key = await issuer.keys.key(header.get("kid", "")) if algorithm in ALGORITHMS else None
        if key is None or key.algorithm_name != algorithm:
            raise Unauthenticated("token-key", "The token is not signed by a current key of its issuer.")
        return Claims.of(self._verified(token, key, issuer)), issuer

    def _verified(self, token: str, key: jwt.PyJWK, issuer: Issuer) -> dict[str, Any]:
        """The payload of a token that this key signed, for this system and this time."""
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[str(key.algorithm_name)],
                audience=self.audience,
                issuer=issuer.name,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"], "verify_sub": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("token-expired", "The token has expired. Ask for a new one.") from error
        except (
            jwt.InvalidSignatureError,
            jwt.InvalidAudienceError,
            jwt.InvalidIssuerError,
            jwt.ImmatureSignatureError,
        ) as error:
            raise Unauthenticated("token-invalid", "The token is not valid for this system.") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("token-claims", "A claim of the token is missing or malformed.") from error


def _actor(claims: Claims, issuer: Issuer) -> Actor:
    """The bearer of a token. The only place where a lender's token loses every role but lender. Raises
    Unauthenticated where roles and `lender_id` contradict each other."""
    roles = frozenset(Role(name) for name in claims.role_names if name in set(Role)) & issuer.roles
    if Role.LENDER in roles and claims.lender_id is None:
        raise Unauthenticated("token-lender", "A lender's token must name its lender (claim `lender_id`).")
    if claims.lender_id is not None and Role.LENDER not in roles:
        raise Unauthenticated("token-lender", "A token with the claim `lender_id` must have the role lender.")
    if Role.LENDER in roles:
        roles = frozenset({Role.LENDER})
    behalf = ActorRef.parse(claims.on_behalf_of) if claims.on_behalf_of and issuer.speaks_for_people else None
    return Actor(claims.sub, roles, claims.lender_id, behalf, claims.exp)


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


class RoleRule(SecurityBase):
    """The rule of a route: which roles may call it. Called by FastAPI, it answers with the actor; a second call for the
    same request checks no token. In the OpenAPI document its route asks for a bearer token."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles
        self.scheme_name = "bearer"
        self.model = HTTPBearer(bearerFormat="JWT", description="A token of the issuer that this system trusts.")

    async def __call__(self, request: Request) -> Actor:
        actor = await _caller(request)
        if not actor.has(*self.roles):
            # A lender must not learn what exists; our own people may know that other roles have this route.
            if actor.has(Role.LENDER):
                raise NotFound("not-found", "There is no such thing here.")
            raise Forbidden("role", f"Your token needs one of the roles {', '.join(sorted(self.roles))}.")
        return actor


async def _caller(request: Request) -> Actor:
    """Who sends this request, found once and remembered in its state."""
    known: Actor | None = getattr(request.state, "actor", None)
    if known is not None:
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("token-missing", "Send a bearer token in the Authorization header.")
    actor: Actor = await request.app.state.runtime.verifier.actor(token.strip())
    request.state.actor = actor
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
        calls = [dependency.call for dependency in all_of(context.dependant)]
        found = [call for call in calls if isinstance(call, RoleRule | Public)]
        if not found:
            raise RouteWithoutRule(f"{name} does not say who may call it: give it allow(…) or public")
        matrix[name] = found[0].roles if isinstance(found[0], RoleRule) else None
    return matrix


def all_of(dependant: Dependant) -> list[Dependant]:
    """A dependant with all that it depends on."""
    return [dependant, *(deeper for child in dependant.dependencies for deeper in all_of(child))]
