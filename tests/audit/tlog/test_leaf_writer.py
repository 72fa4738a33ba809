"""The fast way to a leaf's bytes writes what the reference writes, for every leaf there can be."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.tlog.canonical import NotCanonical, canonical
from services.audit.tlog.leaf import (
    Actor,
    Aggregate,
    Evidence,
    Leaf,
    NotALeaf,
    Source,
    Subject,
    decode,
    encode,
    instant,
)
from services.audit.tlog.leaf_writer import place, spell

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
counts = st.integers(1, 2**53 - 1)
hashes = st.binary(min_size=32, max_size=32)
times = st.datetimes(timezones=st.just(UTC))
names = st.text(st.characters(max_codepoint=126, exclude_categories=["Cs"]), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)
subjects = st.builds(
    lambda kind, id, n, prev: Subject(f"{kind}:{id}", n, None if n == 1 else prev),
    st.sampled_from(["case", "promise"]),
    st.uuids(),
    st.one_of(st.just(1), counts),
    hashes,
)
files = st.builds(Evidence, hashes.map(bytes.hex), texts, st.integers(0, 2**53 - 1))
leaves = st.builds(
    Leaf,
    log=texts,
    type=texts,
    event_id=st.uuids(),
    occurred_at=times,
    recorded_at=times,
    actor=st.builds(Actor, texts, texts),
    action=texts,
    outcome=texts,
    retention=texts,
    correlation_id=texts,
    causation_id=st.none() | texts,
    subjects=st.lists(subjects, max_size=3).map(tuple),
    aggregate=st.none() | st.builds(Aggregate, st.uuids(), counts),
    evidence=st.lists(files, max_size=2).map(tuple),
    priv=st.dictionaries(names, hashes.map(bytes.hex), max_size=2),
    source=st.none() | st.builds(Source, texts, counts, counts),
    data=st.dictionaries(names, values, max_size=4),
)  # fmt: skip


def spelled(leaf):
    aggregate, source = leaf.aggregate, leaf.source
    unplaced = spell(
        log=leaf.log,
        type=leaf.type,
        event_id=str(leaf.event_id),
        occurred_at=instant(leaf.occurred_at),
        actor=(leaf.actor.kind, leaf.actor.ref),
        action=leaf.action,
        outcome=leaf.outcome,
        retention=leaf.retention,
        correlation_id=leaf.correlation_id,
        causation_id=leaf.causation_id,
        aggregate=aggregate and (str(aggregate.id), aggregate.version),
        source=source and (source.topic, source.partition, source.offset),
        evidence=[(each.digest, each.media_type, each.size) for each in leaf.evidence],
        priv=leaf.priv,
        data=canonical(leaf.data),
    )
    return place(unplaced, instant(leaf.recorded_at), [(each.ref, each.n, each.prev) for each in leaf.subjects])


@given(leaves)
def test_the_fast_way_writes_what_the_reference_writes(leaf):
    written = spelled(leaf)
    assert written == encode(leaf)
    assert decode(written) == leaf


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLAIN = Leaf(
    log="bank-a",
    type="t",
    event_id=UUID(int=1),
    occurred_at=NOON,
    recorded_at=NOON,
    actor=Actor("system", "s"),
    action="a",
    outcome="done",
    retention="r",
    correlation_id="c",
)


@pytest.mark.parametrize(
    "wrong", [{"a": 1.5}, {"a": 2**53}, {"é": 1}, {"a": "\ud800"}, {"a": {"b": [float("nan")]}}], ids=repr
)
def test_both_refuse_the_same_data(wrong):
    leaf = Leaf(**{name: getattr(PLAIN, name) for name in PLAIN.__slots__ if name != "data"}, data=wrong)
    for way in (encode, spelled):
        with pytest.raises(NotCanonical):
            way(leaf)


def test_a_lone_surrogate_is_refused_wherever_it_stands():
    parts = {name: getattr(PLAIN, name) for name in PLAIN.__slots__}
    for name in ("log", "type", "action", "outcome", "retention", "correlation_id"):
        with pytest.raises(NotCanonical):
            spelled(Leaf(**{**parts, name: "a\udfff"}))


def test_what_is_no_digest_is_refused():
    common = {"log": "l", "type": "t", "event_id": "e", "occurred_at": "", "actor": ("a", "b"), "action": "a"}
    common |= {"outcome": "o", "retention": "r", "correlation_id": "c", "data": b"{}"}
    for wrong in ({"priv": {"statement": "secret"}}, {"evidence": [("00", "image/png", 1)]}):
        with pytest.raises(NotALeaf):
            spell(**common, **wrong)
