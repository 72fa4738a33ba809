"""Reading leaves quickly gives the same verdict as `decode`, whatever the bytes; and the same fields."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.tlog.canonical import NotCanonical
from services.audit.tlog.leaf import (
    Actor,
    Aggregate,
    Evidence,
    Leaf,
    LeafTooLarge,
    NotALeaf,
    Source,
    Subject,
    client_digest,
    decode,
    encode,
)
from services.audit.verification import reading
from services.audit.verification.reading import read_leaf
from tests.searches import search

HASHES = st.binary(min_size=32, max_size=32)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["a b", 'say "no"', "王"])
KEYS = st.text(st.characters(max_codepoint=127), max_size=6) | st.sampled_from(["eventId", "data", "case_id"])
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
TIMES = st.datetimes(timezones=st.just(UTC))


def mention(ref, n, prev):
    return Subject(ref, n, prev if n > 1 else None)


SUBJECTS = st.builds(mention, TEXTS, st.integers(1, 3), HASHES)
LEAVES = st.builds(
    Leaf,
    log=TEXTS,
    type=TEXTS,
    event_id=st.uuids(),
    occurred_at=TIMES,
    recorded_at=TIMES,
    actor=st.builds(Actor, TEXTS, TEXTS),
    action=TEXTS,
    outcome=TEXTS,
    retention=TEXTS,
    correlation_id=TEXTS,
    causation_id=st.none() | TEXTS,
    subjects=st.lists(SUBJECTS, max_size=3).map(tuple),
    aggregate=st.none() | st.builds(Aggregate, st.uuids(), st.integers(-1, 2**53 - 1)),
    evidence=st.lists(st.builds(Evidence, HASHES.map(bytes.hex), TEXTS, st.integers(0, 9)), max_size=2).map(tuple),
    priv=st.dictionaries(KEYS, HASHES.map(bytes.hex), max_size=2),
    source=st.none() | st.builds(Source, TEXTS, st.integers(0, 9), st.integers(0, 9)),
    data=DATA,
)
# As the services write them: plain texts outside of the data.
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\\\'), max_size=12)
USUAL = st.builds(
    Leaf,
    log=PLAIN,
    type=PLAIN,
    event_id=st.uuids(),
    occurred_at=TIMES,
    recorded_at=TIMES,
    actor=st.builds(Actor, PLAIN, PLAIN),
    action=PLAIN,
    outcome=PLAIN,
    retention=PLAIN,
    correlation_id=PLAIN,
    causation_id=st.none() | PLAIN,
    subjects=st.lists(st.builds(mention, PLAIN, st.integers(1, 12), HASHES), max_size=3).map(tuple),
    aggregate=st.none() | st.builds(Aggregate, st.uuids(), st.integers(0, 10**15 - 1)),
    evidence=st.lists(st.builds(Evidence, HASHES.map(bytes.hex), PLAIN, st.integers(0, 9)), max_size=2).map(tuple),
    priv=st.dictionaries(PLAIN, HASHES.map(bytes.hex), max_size=1),
    source=st.none() | st.builds(Source, PLAIN, st.integers(0, 9), st.integers(0, 9)),
    data=DATA,
)


def agree(data):
    """Both take the bytes, or both refuse them."""
    try:
        leaf = decode(data)
    except (LeafTooLarge, NotCanonical, NotALeaf):
        with pytest.raises(NotALeaf):
            read_leaf(data)
        return False
    assert read_leaf(data) == reading._said(leaf)
    return True


@search(66, 4000)
@given(LEAVES | USUAL)
def test_leaves_are_read(leaf):
    assert agree(encode(leaf))


@search(25, 1000)
@given(USUAL)
def test_usual_leaves_are_read_quickly(leaf):
    data = encode(leaf)
    assert reading._quickly(data) == reading._said(decode(data))


def test_what_a_leaf_says():
    said = read_leaf(replaced(FIELDS, ("data", "case_id"), "case-1"))
    id = "00000000-0000-0000-0000-000000000001"
    moment = "2026-01-01T00:00:00.000000Z"
    assert dict(zip(reading.COLUMNS, said.columns, strict=True)) == {
        "log_id": "lender-1", "event_id": id, "type": "t", "case_id": "case-1", "actor": "system:doorstep",
        "occurred_at": moment, "recorded_at": moment, "correlation_id": "c", "outcome": "done",
        "aggregate_id": "cases:00000000-0000-0000-0000-000000000002", "aggregate_version": 1,
    }  # fmt: skip
    assert said.client_digest == client_digest("t", id, b'{"b":1,"case_id":"case-1","rule_id":"balance-large"}')
    assert (said.subjects, said.rules) == ([("case:1", 2, "00" * 32)], ("balance-large",))


@search(100, 6000)
@given(LEAVES | USUAL, st.data())
def test_bent_bytes_have_the_same_verdict(leaf, data):
    """A byte changed, put in or left out, anywhere."""
    good = encode(leaf)
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.sampled_from(list(b' \n\t"\\{}[],:0-19azAZ.e\x00\x7f\xff')))
    bent = data.draw(
        st.sampled_from(
            [
                good[:at] + bytes([byte]) + good[at + 1 :],
                good[:at] + bytes([byte]) + good[at:],
                good[:at] + good[at + 1 :],
                good[:at],
            ]
        )
    )
    agree(bent)


FIELDS = json.loads(
    encode(
        Leaf(
            log="lender-1", type="t", event_id=UUID(int=1), occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
            recorded_at=datetime(2026, 1, 1, tzinfo=UTC), actor=Actor("system", "doorstep"), action="a", outcome="done",
            retention="house-retain", correlation_id="c", subjects=(Subject("case:1", 2, bytes(32)),),
            aggregate=Aggregate(UUID(int=2), 1), source=Source("cases.case.v1", 0, 1),
            evidence=(Evidence("5a" * 32, "video/mp4", 1),), priv={"statement": "5a" * 32},
            data={"b": 1, "rule_id": "balance-large"},
        )
    )
)  # fmt: skip
STRANGE = [
    None, True, False, 0, -1, 1.5, 2**53, "", "x", [], {}, [1], {"a": 1}, "\ud800", "5A" * 32,
    "00000000-0000-0000-0000-00000000000A", "2026-02-31T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000+00:00", "\u0662026-01-01T00:00:00.000000Z",
]  # fmt: skip


def replaced(fields, place, value):
    """The fields with another value at a place, such as ("subjects", 0, "n"), as canonical as can be."""
    copy = json.loads(json.dumps(fields))
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    text = json.dumps(copy, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", errors="surrogatepass")


PLACES = [
    *((name,) for name in FIELDS), ("new",), ("actor", "kind"), ("actor", "new"), ("aggregate", "id"),
    ("aggregate", "version"), ("aggregate", "new"), ("source", "offset"), ("source", "topic"), ("source", "new"),
    ("subjects", 0), ("subjects", 0, "n"), ("subjects", 0, "prev"), ("subjects", 0, "ref"), ("subjects", 0, "new"),
    ("evidence", 0), ("evidence", 0, "digest"), ("evidence", 0, "size"), ("evidence", 0, "new"), ("priv", "statement"),
    ("priv", "\u00e9"), ("data", "b"), ("data", "\u00e9"),
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_strange_values_have_the_same_verdict(place):
    for value in STRANGE:
        agree(replaced(FIELDS, place, value))


@pytest.mark.parametrize("name", FIELDS)
def test_nothing_may_be_missing(name):
    rest = {key: value for key, value in FIELDS.items() if key != name}
    assert not agree(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def test_depth_has_an_end():
    deep: object = 1
    for number in range(40):
        deep = [deep]
        assert agree(replaced(FIELDS, ("data", "b"), deep)) is (number < 30)
    wide = {f"k{number}": [number] for number in range(100)}
    assert agree(replaced(FIELDS, ("data", "b"), wide))


def test_a_doubled_key_is_no_leaf():
    good = replaced(FIELDS, ("data", "b"), 1)
    assert not agree(good.replace(b'{"b":1,', b'{"b":1,"b":1,'))
    assert not agree(good.replace(b'{"b":1,', b'{"b":-0,'))
    assert not agree(b'{"a":1}')


def test_the_quick_way_is_taken(monkeypatch):
    """Usual leaves never come to the slow one."""
    monkeypatch.setattr(reading, "decode", None)
    assert read_leaf(replaced(FIELDS, ("data", "b"), 1))
