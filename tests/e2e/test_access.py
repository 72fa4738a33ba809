"""Nobody sees what is not theirs, and no token holds that should not."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared import keys
from shared.auth import DEVELOPMENT_ISSUER, Role, issue_token
from shared.ids import new_id
from shared.settings import Settings
from tests.actors.samples import file_of, row


@pytest.fixture(scope="module")
def placed(house):
    """A lender, one of its placements and one of its cases, in the trail already."""
    lender = house.lender()
    placement = lender.place(row("A-1"))
    house.quiet()
    return lender, placement, lender.cases()["A-1"]


def test_another_lender_learns_nothing(house, placed):
    _, placement, case = placed
    other = house.lender()
    for path in (
        f"/cases/v1/placements/{placement['id']}",
        f"/cases/v1/placements/{placement['id']}/errors",
        f"/cases/v1/cases/{case['id']}",
        f"/cases/v1/lenders/{placement['lender_id']}/profile",
    ):
        problem = other.caller.get(path, expect=404)
        assert problem["status"] == 404
        missing = path.replace(placement["id"], str(new_id())).replace(case["id"], str(new_id()))
        if missing != path:
            assert other.caller.get(missing, expect=404)["detail"] == problem["detail"]
    assert other.cases() == {}
    line = {
        "reference": "P-1",
        "account_ref": "A-1",
        "amount": {"amount": "1", "currency": "TWD"},
        "received_on": "2026-03-01",
    }
    [result] = other.caller.post("/cases/v1/payments", {"payments": [line]})["items"]
    assert (result["result"], result["code"]) == ("UNMATCHED", "account-not-found")


def test_a_lender_reads_its_own_but_not_the_dossier_and_not_the_trail(house, placed):
    lender, placement, case = placed
    assert lender.caller.get(f"/cases/v1/cases/{case['id']}")["id"] == case["id"]
    assert lender.caller.get(f"/cases/v1/placements/{placement['id']}")["accepted"] == 1
    entry = house.officer.get("/audit/v1/entries", case_id=case["id"])["items"][0]
    for path in (
        f"/cases/v1/cases/{case['id']}/dossier?reason=VISIT",
        f"/audit/v1/entries/{entry['log']}/{entry['index']}",
        "/audit/v1/entries",
        "/audit/v1/logs",
        f"/audit/v1/logs/{entry['log']}/checkpoint",
        f"/audit/v1/logs/{entry['log']}/proofs/inclusion?index=0",
        "/visits/v1/visits",
    ):
        lender.caller.get(path, expect=404)


@pytest.mark.parametrize("role", [Role.COLLECTOR, Role.SUPERVISOR])
def test_the_trail_is_for_compliance(house, role):
    house.caller(role).get("/audit/v1/entries", expect=403)


def test_what_a_role_may_see_but_not_do_is_403(house, placed):
    _, _, case = placed
    body = {"reason": "COMPLAINT_PENDING", "review_on": "2026-04-01"}
    assert house.admin.post(f"/cases/v1/cases/{case['id']}/holds", body, expect=403)["status"] == 403
    assert house.officer.post("/visits/v1/day-plans", {"day": "2026-03-02"}, expect=403)["status"] == 403


def test_a_collector_reads_no_dossier_of_a_case_that_is_not_assigned(house, placed):
    _, _, case = placed
    collector = house.caller(Role.COLLECTOR, subject=str(new_id()))
    collector.get(f"/cases/v1/cases/{case['id']}/dossier", expect=404, reason="VISIT")


def test_reading_a_dossier_is_itself_in_the_trail(house, placed):
    _, _, case = placed
    dossier = house.supervisor.get(f"/cases/v1/cases/{case['id']}/dossier", reason="VISIT")
    assert dossier["name"] == "王小明"
    house.quiet()
    reads = house.officer.every("/audit/v1/entries", log="access", type="doorstep.cases.dossier-read.v1")
    mine = [entry for entry in reads if case["id"] in json.dumps(entry)]
    assert [entry["leaf"]["actor"]["ref"] for entry in mine] == ["development-supervisor"]


def token(house, **changes):
    """A token of the development issuer that is good but for what is changed."""
    settings = Settings(data_dir=house.data)
    key = changes.pop("key", None) or keys.private_key(None, settings=settings, name="issuer")
    sound = {
        "key_id": keys.key_id(key.public_key()),
        "issuer": DEVELOPMENT_ISSUER,
        "audience": "doorstep",
        "subject": "somebody",
        "roles": [Role.ADMIN],
        "seconds": 600,
    }
    return issue_token(key, **(sound | changes))


def without_signature(house):
    head, body, _ = token(house).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return jwt.encode(
        claims, None, algorithm="none", headers={"kid": jwt.get_unverified_header(head + "." + body + ".")["kid"]}
    )


BAD = {
    "expired": lambda house: token(house, seconds=-60),
    "of another issuer": lambda house: token(house, issuer="https://elsewhere"),
    "for another audience": lambda house: token(house, audience="elsewhere"),
    "signed by another key under our key's id": lambda house: token(
        house, key=Ed25519PrivateKey.generate(), key_id=jwt.get_unverified_header(token(house))["kid"]
    ),
    "alg none": without_signature,
    "no token": lambda _house: "nonsense",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_401(house, kind):
    answer = house.bearing(BAD[kind](house)).ask("GET", "/cases/v1/cases", 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_good_token_is_not(house):
    house.bearing(token(house)).ask("GET", "/cases/v1/cases", 200)


def test_people_cannot_be_services(house):
    house.bearing(token(house, roles=[Role.SERVICE])).ask("GET", "/cases/v1/cases", 403)


def test_the_same_key_twice_is_done_once_and_another_body_is_told(house, placed):
    _, _, case = placed
    body = {"reason": "COMPLAINT_PENDING", "review_on": "2026-04-01"}
    path = f"/cases/v1/cases/{case['id']}/holds"
    key = str(new_id())
    first = house.supervisor.post(path, body, expect=201, key=key)
    assert house.supervisor.post(path, body, expect=201, key=key) == first
    problem = house.supervisor.post(path, body | {"review_on": "2026-05-01"}, expect=422, key=key)
    assert problem["title"] == "idempotency-key-reused"
    assert len(house.supervisor.get(path)["items"]) == 1


@pytest.mark.parametrize("lender_id", ["operator", "access"])
def test_no_lender_takes_the_name_of_a_log_of_our_own(house, lender_id):
    problem = house.admin.post("/cases/v1/lenders", {"id": lender_id, "name": "A bank"}, expect=422)
    assert "choose another id" in str(problem["errors"])


def test_errors_say_what_where_and_how_to_mend(house):
    problem = house.admin.post("/cases/v1/lenders", {"id": "Bad Id", "name": ""}, expect=422)
    assert {error["where"] for error in problem["errors"]} == {"body.id", "body.name"}
    assert house.admin.get("/cases/v1/cases", expect=422, cursor="!")["title"] == "cursor"
    assert house.admin.get("/cases/v1/nothing", expect=404)["status"] == 404
    answer = house.admin.ask("GET", "/cases/v1/cases", headers={"X-Request-Id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"


def test_lists_are_paged(house):
    lender = house.lender()
    lender.finished(lender.send(file_of(*(row(f"P-{n}", 10 + n) for n in range(7)))).headers["Location"])
    seen, cursor = [], None
    while True:
        page = lender.caller.get("/cases/v1/cases", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [case["id"] for case in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7
