"""Tokens that their issuer signed and whose claims or header are odd: each is a 401 that says why, never a 500."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared import keys
from shared.auth import DEVELOPMENT_ISSUER, SERVICE_ISSUER, TOKEN_CHARACTERS_MAX, Role
from shared.clock import system_now
from shared.events.envelope import ActorRef

NOTES = "/cases/v1/notes"
ABSENT = object()


def signed(key: Ed25519PrivateKey, payload: bytes, **header: Any) -> str:
    """A token to the byte: a library would refuse to write most of these."""
    named = {"alg": "EdDSA", "typ": "JWT", "kid": keys.key_id(key.public_key())} | header
    first = json.dumps({name: value for name, value in named.items() if value is not ABSENT}).encode()
    begun = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (first, payload))
    return (begun + b"." + base64.urlsafe_b64encode(key.sign(begun)).rstrip(b"=")).decode()


def payload_of(**claims: Any) -> bytes:
    """Sound claims with these changes; bytes are raw JSON."""
    now = int(system_now().timestamp())
    sound = {"iss": DEVELOPMENT_ISSUER, "aud": "doorstep", "sub": "ann", "iat": now, "exp": now + 600}
    every = {**sound, "roles": ["supervisor"], **claims}
    written = {name: value if isinstance(value, bytes) else json.dumps(value).encode() for name, value in every.items()
               if value is not ABSENT}  # fmt: skip
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in written.items()) + b"}"


def key_of(system, name: str = "issuer") -> Ed25519PrivateKey:
    return keys.private_key(None, settings=system.runtime.settings, name=name)


async def answer(system, payload: bytes, **header: Any):
    return await system.bearing(signed(key_of(system), payload, **header)).get(NOTES)


TOO_LONG = "x" * 201
BAD_SUBJECTS = (
    ABSENT, None, "", " ", " ann", "ann ", "\u00a0ann", 7, True, 1.5, [], ["ann"], {}, {"ann": 1}, TOO_LONG, "a\nb",
    "a\x00b", "a\x7fb", "a\u0085b", "a\u2028b", "a\u200bb", "a\u202eb", b'"\\ud800"', b'"a\\udfffb"',
)  # fmt: skip


async def test_a_subject_that_cannot_stand_in_the_trail_is_401(system):
    for subject in BAD_SUBJECTS:
        found = await answer(system, payload_of(sub=subject))
        assert (found.status_code, found.json()["title"]) == (401, "token-subject"), ascii(subject)
        assert "`sub`" in found.json()["detail"]


BAD_TIMES = (b"1e400", b"-1e400", b"NaN", b"Infinity", b"-1", b"1e300", b"9" * 400, b"9" * 5000, "soon", "1", True,
             False, [], {}, [1])  # fmt: skip
BAD_CLAIMS = (
    *({"roles": value} for value in ("admin", 1, True, {"admin": True}, [1], [None], [["admin"]], [{"a": 1}],
                                     ["supervisor", 7], b"NaN")),
    *({"roles": ABSENT, "realm_access": value} for value in ("admin", 1, True, [], ["supervisor"],
                                                             {"roles": "supervisor"}, {"roles": [1]}, {"roles": {}})),
    *({"lender_id": value, "roles": ["lender"]} for value in ("", "x", "A", "Lender-1", "1-lender", "lender_1", "../x",
        "a" * 42, "lender-1\n", " lender-1", 7, True, [], ["lender-1"], {}, "operator", "access", "ländler")),
    *({name: value} for name in ("exp", "iat", "nbf") for value in BAD_TIMES),
    *({"on_behalf_of": value} for value in ("ann", "supervisor:", ":ann", "supervisor: ann", "SUPERVISOR:ann", 7, [],
                                            {}, f"supervisor:{TOO_LONG}", "supervisor:a\nb", b'"supervisor:\\ud800"')),
    {"exp": ABSENT}, {"exp": None}, {"aud": ABSENT}, {"aud": None}, {"aud": 7}, {"aud": {}}, {"aud": [["doorstep"]]},
    {"aud": "another"}, {"iss": ABSENT}, {"iss": 7}, {"iss": [DEVELOPMENT_ISSUER]}, {"iss": {}}, {"jti": 7},
    {"jti": []}, {"nbf": 253_402_300_000}, {"iat": 253_402_300_000},
)  # fmt: skip
CODES = {"token-claims", "token-malformed", "token-invalid", "token-issuer", "token-expired", "token-lender"}


async def test_a_claim_of_the_wrong_type_is_401(system):
    for claims in BAD_CLAIMS:
        found = await answer(system, payload_of(**claims))
        assert found.status_code == 401, (ascii(claims)[:80], found.text)
        assert found.json()["title"] in CODES, (ascii(claims)[:80], found.text)
        assert "www-authenticate" in found.headers


async def test_wrong_claims_are_named_and_never_quoted(system):
    found = await answer(system, payload_of(roles="planted-role", lender_id="Planted Id"))
    assert found.json()["title"] == "token-claims"
    assert all(name in found.json()["detail"] for name in ("roles", "lender_id"))
    assert "lanted" not in found.text


async def test_a_payload_that_is_no_set_of_claims_is_401(system):
    deep, long = b"[" * 9_000, b'{"iss":' + b"9" * 5_000 + b"}"
    for payload in (b"", b"[]", b"7", b"null", b'"x"', b"{", b"\xff", deep, b'{"a":' * 2_000, long):
        found = await answer(system, payload)
        assert (found.status_code, found.json()["title"]) == (401, "token-malformed"), payload[:20]


BAD_HEADERS = (
    {"kid": 7}, {"kid": None}, {"kid": []}, {"kid": {}}, {"kid": ABSENT}, {"kid": "\x00"}, {"kid": "x" * 5_000},
    {"alg": 7}, {"alg": None}, {"alg": []}, {"alg": {}}, {"alg": ABSENT}, {"alg": "none"}, {"alg": "HS256"},
    {"alg": "RS256"}, {"crit": []}, {"crit": "exp"}, {"crit": ["exp"]}, {"crit": [7]}, {"crit": ["b64"]}, {"crit": {}},
    {"b64": False}, {"b64": False, "crit": ["b64"]},
)  # fmt: skip


async def test_an_odd_header_is_401(system):
    for header in BAD_HEADERS:
        found = await answer(system, payload_of(), **header)
        assert found.status_code == 401, (ascii(header), found.text)
        assert found.json()["title"] in {"token-malformed", "token-key"}, ascii(header)


async def test_a_token_of_a_megabyte_is_401_and_one_at_the_limit_is_read(system):
    found = await answer(system, payload_of(padding="x" * 1_000_000))
    assert (found.status_code, found.json()["title"]) == (401, "token-too-long")
    room = TOKEN_CHARACTERS_MAX - len(signed(key_of(system), payload_of(padding="")))
    assert (await answer(system, payload_of(padding="x" * (room * 3 // 4 - 3)))).status_code == 200


async def test_unknown_roles_and_claims_of_other_systems_are_no_fault(system):
    found = await answer(system, payload_of(roles=["supervisor", "offline_access"], acr=1, resource_access={"a": []}))
    assert found.status_code == 200
    found = await answer(system, payload_of(roles=ABSENT, realm_access={"roles": ["supervisor"], "more": 1}))
    assert found.status_code == 200


async def test_a_lender_with_another_role_is_a_lender_only(system):
    for roles in (["lender", "supervisor"], ["supervisor", "lender", "admin", "compliance", "collector"]):
        token = signed(key_of(system), payload_of(roles=roles, lender_id="lender-1"))
        assert (await system.bearing(token).get(NOTES)).status_code == 404
        actor = await system.runtime.verifier.actor(token)
        assert (actor.roles, actor.lender_id, str(actor.ref)) == ({Role.LENDER}, "lender-1", "lender:ann")


async def test_roles_and_lender_id_that_contradict_each_other_are_401(system):
    for roles, lender in (("supervisor", "lender-1"), (None, "lender-1"), ("service", "lender-1"), ("lender", None)):
        found = await answer(system, payload_of(roles=[roles] if roles else [], lender_id=lender))
        assert (found.status_code, found.json()["title"]) == (401, "token-lender"), (roles, lender)


async def test_on_behalf_of_counts_from_the_services_issuer_only(system):
    mine = signed(key_of(system), payload_of(on_behalf_of="compliance:mallory"))
    assert (await system.runtime.verifier.actor(mine)).ref == ActorRef("supervisor", "ann")
    claims = {"iss": SERVICE_ISSUER, "sub": "visits", "roles": ["service"], "on_behalf_of": "supervisor:auth0|a:b"}
    service = signed(key_of(system, "services"), payload_of(**claims))
    assert (await system.runtime.verifier.actor(service)).ref == ActorRef("supervisor", "auth0|a:b")
    wrong = signed(key_of(system, "services"), payload_of(**claims | {"on_behalf_of": "ann"}))
    found = await system.bearing(wrong).get(NOTES)
    assert (found.status_code, found.json()["title"]) == (401, "token-claims")
