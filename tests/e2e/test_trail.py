"""The trail over HTTP, as an officer and an outside verifier read it: how it stands, its tiles, and what is new."""

import json

import pytest

from services.audit.tlog.merkle import leaf_hash, root_of
from services.audit.tlog.note import Checkpoint, Verifier, open_note
from services.audit.tlog.tiles import entries_path, tile_path, tile_root, unpack
from shared.auth import Role
from tests.actors.samples import row
from tests.audit.bundles import decode_entries

IMMUTABLE = "private, max-age=31536000, immutable"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lender(house):
    """A lender whose log has more than one full tile."""
    lender = house.lender()
    lender.place(*(row(f"T-{n}") for n in range(100)))
    house.quiet()
    return lender


def fetch(house, lender, path, expect=200):
    return house.officer.ask("GET", f"/audit/v1/logs/{lender.id}/{path}", expect)


def checkpoint(house, lender):
    """The published checkpoint, once it signs all that is there."""
    for _ in range(200):
        answer = fetch(house, lender, "checkpoint")
        [log] = [log for log in house.officer.get("/audit/v1/logs")["items"] if log["log"] == lender.id]
        signed = Checkpoint.parse(open_note(answer.text, Verifier.parse(log["vkey"])))
        if signed.size == log["size"]:
            return answer, signed
    raise AssertionError("nothing was published")


def test_the_log_is_read_whole_from_its_tiles(house, lender):
    answer, signed = checkpoint(house, lender)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert signed.size > 256
    full, rest = divmod(signed.size, 256)
    leaves, entries = [], []
    for n in range(full + bool(rest)):
        width = 256 if n < full else rest
        tile, bundle = (
            fetch(house, lender, each(n, width)) for each in (lambda n, w: tile_path(0, n, w), entries_path)
        )
        for answer in (tile, bundle):
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["cache-control"] == IMMUTABLE
        leaves += unpack(tile.content)
        entries += decode_entries(bundle.content)
    assert [leaf_hash(entry) for entry in entries] == leaves
    assert root_of(leaves) == signed.root
    above = fetch(house, lender, tile_path(1, 0, full)).content
    assert above == b"".join(tile_root(fetch(house, lender, tile_path(0, n)).content) for n in range(full))


def test_a_narrower_tile_is_the_beginning_of_a_wider_one(house, lender):
    wide = fetch(house, lender, tile_path(0, 0)).content
    for width in (1, 255):
        assert fetch(house, lender, tile_path(0, 0, width)).content == wide[: width * 32]
        bundle = decode_entries(fetch(house, lender, entries_path(0, width)).content)
        assert [leaf_hash(entry) for entry in bundle] == unpack(wide)[:width]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/999",
        "tile/5/000.p/1",
        "tile/entries/999",
        "tile/entries/000.p/256",
        "tile/0/..%2f..%2fcheckpoint",
    ],
)
def test_a_path_of_no_tile_is_not_found(house, lender, path):
    assert fetch(house, lender, path, expect=404).headers["content-type"] == "application/problem+json"


def test_the_officer_sees_how_the_trail_stands_and_others_do_not(house, lender):
    checkpoint(house, lender)
    found = house.officer.get("/audit/v1/trail/status")
    [log] = [log for log in found["logs"] if log["log"] == lender.id]
    assert (log["size"], log["problems"], found["witnesses"]) == (log["checkpoint_size"], [], [])
    house.supervisor.get("/audit/v1/trail/status", expect=403)
    lender.caller.get("/audit/v1/trail/status", expect=404)
    lender.caller.get(f"/audit/v1/logs/{lender.id}/watch", expect=404)


def events_of(house, path, count, **headers):
    """The first server-sent events of a stream: name, id and data."""
    found, event = [], {}
    with house.client.stream("GET", path, headers=house.officer.headers | headers, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line and not line.startswith(":"):
                event[name] = value
            elif event:
                found.append((event["event"], int(event["id"]), json.loads(event["data"])))
                event = {}
            if len(found) == count:
                return found
    return found


def test_a_watch_goes_on_after_the_last_event_that_was_seen(house, lender):
    path = f"/audit/v1/logs/{lender.id}/watch"
    first = events_of(house, f"{path}?from=3", 2)
    assert [(name, place, data["index"]) for name, place, data in first] == [("entry", 4, 3), ("entry", 5, 4)]
    [(name, place, data)] = events_of(house, path, 1, **{"Last-Event-ID": "5"})
    assert (name, place, data["index"], data["log"]) == ("entry", 6, 5, lender.id)
    [case] = [case for account, case in lender.cases().items() if account == "T-0"]
    house.supervisor.post(f"/cases/v1/cases/{case['id']}/holds", HOLD, expect=201)
    house.quiet()
    _, signed = checkpoint(house, lender)
    found = events_of(house, path, 1, **{"Last-Event-ID": str(signed.size - 1)})
    assert found[0][2]["type"] == "doorstep.cases.case-held.v1"
    assert found[0][2]["case_id"] == case["id"]


HOLD = {"reason": "COMPLAINT_PENDING", "review_on": "2026-04-01"}


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30])
def test_a_place_that_is_none_is_refused(house, lender, last):
    path = f"/audit/v1/logs/{lender.id}/watch"
    answer = house.officer.ask("GET", path, 422, headers={"Last-Event-ID": last})
    assert answer.headers["content-type"] == "application/problem+json"
    house.officer.get("/audit/v1/logs/nobody/watch", expect=404)
    house.officer.get(path, expect=422, **{"from": 10**9})


def test_that_somebody_watched_is_in_the_trail(house, lender):
    events_of(house, f"/audit/v1/logs/{lender.id}/watch?from=0", 1)
    house.quiet()
    looked = house.officer.every("/audit/v1/entries", log="access", type="doorstep.audit.trail-searched.v1")
    mine = [each["leaf"]["data"] for each in looked if each["leaf"]["data"]["form"] == "WATCH"]
    assert [each["log"] for each in mine if each["sizes"] == {lender.id: 0}] == [lender.id]


def test_the_roles_of_these_routes(house, lender):
    for role in (Role.COLLECTOR, Role.SUPERVISOR):
        house.caller(role).get(f"/audit/v1/logs/{lender.id}/watch", expect=403)
