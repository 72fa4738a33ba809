"""The canonical form is RFC 8785's, byte for byte, and each value has one spelling only."""

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.audit.tlog.canonical import INTEGER_MAX, NotCanonical, canonical, commitment, parse_canonical
from tests.searches import search

KEYS = st.text(st.characters(max_codepoint=127), max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


@search(66, 4000)
@given(VALUES)
def test_it_is_the_form_of_the_library(value):
    assert canonical(value) == rfc8785.dumps(value)


@search(33, 2000)
@given(VALUES)
def test_what_is_written_is_read(value):
    assert parse_canonical(canonical(value)) == value


@search(50, 3000)
@given(VALUES, st.data())
def test_no_value_has_a_second_spelling(value, data):
    """Any other JSON text of the same value is refused."""
    again = data.draw(
        st.sampled_from(
            [
                json.dumps(value, sort_keys=True).encode(),
                json.dumps(value, ensure_ascii=False, indent=1).encode(),
                json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode(),
                b" " + canonical(value),
                canonical(value) + b"\n",
                b"\xef\xbb\xbf" + canonical(value),
            ]
        )
    )
    if again == canonical(value):
        return
    with pytest.raises(NotCanonical):
        parse_canonical(again)


@pytest.mark.parametrize(
    "value",
    [1.0, 0.5, math.nan, math.inf, INTEGER_MAX + 1, -INTEGER_MAX - 1, "\ud800", {"\ud800": 1}, {"é": 1}, {1: 2},
     b"bytes", {1, 2}, pytest.param(object(), id="object"), {"deep": [1.5]}],
    ids=repr,
)  # fmt: skip
def test_what_lies_outside_the_profile_is_refused(value):
    with pytest.raises(NotCanonical):
        canonical(value)


def test_nesting_has_an_end():
    value: object = 1
    for _ in range(32):
        value = [value]
    assert parse_canonical(canonical(value)) == value
    with pytest.raises(NotCanonical, match="deep"):
        canonical([value])
    with pytest.raises(NotCanonical, match="deep"):
        parse_canonical(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "text",
    [b'{"a":1,"a":1}', b'{"b":1,"a":1}', b"1.0", b"1e3", b"-0", b"01", b"NaN", b"Infinity", b"-Infinity",
     b'"\\u0041"', b'"\\/"', b'"\\uD800"', b"\xff", b"", b"tru", b"[1,]", b"9007199254740992", b'"\\u001F"'],
)  # fmt: skip
def test_other_bytes_are_refused(text):
    with pytest.raises(NotCanonical):
        parse_canonical(text)


def test_a_reason_names_the_place_and_never_the_value():
    with pytest.raises(NotCanonical) as raised:
        canonical({"data": {"sums": ["secret", 1, 1.5]}})
    assert raised.value.path == "$.data.sums[2]"
    assert "secret" not in str(raised.value)


def test_a_commitment_binds_salt_and_value():
    salt = bytes(range(32))
    assert commitment("0912345678", salt) == "6ead8957aa352fdfb32f31eb1bcb4629c2f6ec6434faefafac6b95616bc36b92"
    assert len({commitment("a", salt), commitment("b", salt), commitment("a", salt[::-1])}) == 3
    with pytest.raises(ValueError, match="32 bytes"):
        commitment("a", salt[:31])
