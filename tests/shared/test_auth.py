"""Tokens that hold, and all those that must not."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared import keys
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token, rules_of

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
