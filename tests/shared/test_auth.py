"""Tokens that hold, and all those that must not."""

import base64
import json
import math
from datetime import timedelta
from types import SimpleNamespace

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Request

from shared import keys
from shared.auth import (
    DEVELOPMENT_ISSUER,
    KEYS_KEPT_SECONDS,
    LEEWAY_SECONDS,
    TOKEN_REMEMBERED_SECONDS_MAX,
    Actor,
    KeySource,
    Role,
    RoleRule,
    issue_token,
    rules_of,
)
from shared.clock import system_now
from shared.errors import Forbidden
from shared.web.streams import wait

NOTES = "/cases/v1/notes"


def _token(key: Ed25519PrivateKey, **changes) -> str:
    values = {
        "key_id": keys.key_id(key.public_key()),
        "issuer": DEVELOPMENT_ISSUER,
        "audience": "doorstep",
        "subject": "ann",
        "roles": [Role.SUPERVISOR],
        "seconds": 60,
    }
    return issue_token(key, **{**values, **changes})


def _development_key(system) -> Ed25519PrivateKey:
    return keys.private_key(None, settings=system.runtime.settings, name="issuer")


async def _answer(system, token):
    return await system.bearing(token).get(NOTES)


async def test_a_good_token_is_let_in(system):
    assert (await _answer(system, _token(_development_key(system)))).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seconds": -600}, "token-expired"),
        ({"audience": "another"}, "token-invalid"),
        ({"issuer": "https://elsewhere.example"}, "token-issuer"),
        ({"key_id": "unknown"}, "token-key"),
    ],
)
async def test_a_token_that_does_not_hold_is_401_and_says_why(system, changes, code):
    answer = await _answer(system, _token(_development_key(system), **changes))
    assert (answer.status_code, answer.json()["title"]) == (401, code)
    assert "www-authenticate" in answer.headers


async def test_a_token_signed_by_another_key_is_401(system):
    named = keys.key_id(_development_key(system).public_key())
    answer = await _answer(system, _token(Ed25519PrivateKey.generate(), key_id=named))
    assert answer.status_code == 401


async def test_alg_none_is_401(system):
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = jwt.decode(_token(_development_key(system)), options={"verify_signature": False})
    unsigned = f"{part({'alg': 'none', 'kid': keys.key_id(_development_key(system).public_key())})}.{part(claims)}."
    assert (await _answer(system, unsigned)).status_code == 401


async def test_a_public_key_does_not_serve_as_a_shared_secret(system):
    public = _development_key(system).public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = jwt.decode(_token(_development_key(system)), options={"verify_signature": False})
    forged = jwt.encode(claims, raw, algorithm="HS256", headers={"kid": keys.key_id(public)})
    assert (await _answer(system, forged)).status_code == 401


@pytest.mark.parametrize("token", [None, "", "rubbish", "a.b.c", "é.é.é"])
async def test_no_token_or_rubbish_is_401(system, token):
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    assert (await system.client.get(NOTES, headers=headers)).status_code == 401


async def test_a_wrong_role_is_403_and_a_lender_learns_nothing(system):
    assert (await system.caller(Role.COLLECTOR).get(NOTES)).status_code == 403
    assert (await system.caller(Role.LENDER, lender_id="lender-1").get(NOTES)).status_code == 404


async def test_a_person_cannot_claim_to_be_a_service(system):
    answer = await system.caller(Role.SERVICE).get(NOTES)
    assert answer.status_code == 403


async def test_a_lender_without_a_lender_id_is_401(system):
    assert (await system.caller(Role.LENDER).get(NOTES)).status_code == 401


async def test_keys_roll_over_without_a_restart(system):
    new = Ed25519PrivateKey.generate()
    assert (await _answer(system, _token(new))).status_code == 401
    path = system.runtime.settings.keys_path / "issuer.jwks.json"
    path.write_text(keys.jwks(_development_key(system).public_key(), new.public_key()))
    assert (await _answer(system, _token(new))).status_code == 200
    assert (await _answer(system, _token(_development_key(system)))).status_code == 200


async def test_the_matrix_of_routes_and_roles_is_known(system):
    from fastapi import FastAPI

    app: FastAPI = system.client._transport.app  # type: ignore[attr-defined]
    matrix = rules_of(app.routes)
    assert matrix["POST /cases/v1/notes"] == {Role.SUPERVISOR}
    assert matrix["GET /health/live"] is None


async def test_a_token_of_a_removed_key_counts_a_minute_longer_at_most(system, monkeypatch):
    token = _token(_development_key(system), seconds=3_600)
    assert (await _answer(system, token)).status_code == 200
    path = system.runtime.settings.keys_path / "issuer.jwks.json"
    path.write_text(keys.jwks(Ed25519PrivateKey.generate().public_key()))
    start = system_now()
    monkeypatch.setattr("shared.auth.system_now", lambda: start + timedelta(seconds=TOKEN_REMEMBERED_SECONDS_MAX + 1))
    answer = await _answer(system, token)
    assert (answer.status_code, answer.json()["title"]) == (401, "token-key")


async def test_a_remembered_token_ends_when_it_expires(system, monkeypatch):
    now = system_now()
    token = _token(_development_key(system), seconds=5)
    assert (await system.runtime.verifier.actor(token)).subject == "ann"
    for seconds in (LEEWAY_SECONDS + 4, LEEWAY_SECONDS + 6):
        later = now + timedelta(seconds=seconds)
        monkeypatch.setattr("shared.auth.system_now", lambda later=later: later)
        monkeypatch.setattr("jwt.api_jwt.datetime", SimpleNamespace(now=lambda tz, later=later: later))
        answer = await _answer(system, token)
        assert (answer.status_code == 200) == (seconds < LEEWAY_SECONDS + 5), answer.text


class Address:
    """An issuer at an address: counts how often its keys are fetched."""

    def __init__(self, *public) -> None:
        self.jwks, self.fetched, self.up = json.loads(keys.jwks(*public)), 0, True

    def client(self, **_options) -> httpx.AsyncClient:
        def answer(request: httpx.Request) -> httpx.Response:
            if not self.up:
                return httpx.Response(503)
            if request.url.path.endswith("openid-configuration"):
                return httpx.Response(200, json={"jwks_uri": "http://issuer/jwks"})
            self.fetched += 1
            return httpx.Response(200, json=self.jwks)

        return CLIENT(transport=httpx.MockTransport(answer))


CLIENT = httpx.AsyncClient


async def test_keys_from_an_address_are_fetched_again_so_that_a_removed_one_ends(monkeypatch):
    old, new = (Ed25519PrivateKey.generate().public_key() for _ in range(2))
    named = keys.key_id(old)
    address, clock = Address(old), SimpleNamespace(now=0.0)
    monkeypatch.setattr("shared.auth.httpx.AsyncClient", address.client)
    monkeypatch.setattr("shared.auth.monotonic_seconds", lambda: clock.now)
    source = KeySource(issuer_url="http://issuer")
    for _ in range(3):
        assert await source.key(named) is not None
    assert address.fetched == 1
    address.jwks = json.loads(keys.jwks(new))
    clock.now = KEYS_KEPT_SECONDS - 1
    assert await source.key(named) is not None
    address.up, clock.now = False, KEYS_KEPT_SECONDS + 1
    assert await source.key(named) is not None, "while the issuer does not answer, its last known keys count"
    address.up, clock.now = True, KEYS_KEPT_SECONDS * 2 + 2
    assert await source.key(named) is None
    assert await source.key(keys.key_id(new)) is not None


async def test_a_rule_that_is_asked_twice_checks_the_token_once(system, monkeypatch):
    request = Request({
        "type": "http", "app": SimpleNamespace(state=SimpleNamespace(runtime=system.runtime)),
        "headers": [(b"authorization", b"Bearer " + _token(_development_key(system)).encode())],
    })  # fmt: skip
    rule = RoleRule(frozenset({Role.SUPERVISOR}))
    first = await rule(request)
    monkeypatch.setattr(system.runtime, "verifier", None)
    assert await rule(request) is first
    with pytest.raises(Forbidden):
        await RoleRule(frozenset({Role.ADMIN}))(request)


@pytest.mark.parametrize(("left", "asked", "waited", "goes_on"), [
    (60, 0.5, 0.5, True), (0.2, 0.5, 0.2, False), (0, 0.5, 0, False), (-5, 0.5, 0, False), (0.2, 0, 0, True),
    (math.inf, 0.5, 0.5, True),
])  # fmt: skip
async def test_a_stream_waits_no_longer_than_its_token(monkeypatch, left, asked, waited, goes_on):
    now, slept = system_now(), []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("shared.web.streams.system_now", lambda: now)
    monkeypatch.setattr("shared.web.streams.asyncio", SimpleNamespace(sleep=sleep))
    actor = Actor("ann", frozenset(), token_ends_at=now.timestamp() + left)
    assert await wait(actor, asked) is goes_on
    assert slept == [pytest.approx(waited, abs=1e-6)]
