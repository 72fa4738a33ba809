"""Cursors are ours, of this list, and typed; a list ends where it ends."""

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.errors import Invalid
from shared.keys import derived_key
from shared.web.paging import PageRequest, _read, list_key_of

KEY = derived_key(b"k" * 32, "cursors/cases")
CASES = list_key_of(KEY, "/cases/v1/cases", [("lender_id", "south"), ("limit", "2")])


def page(limit: int = 2, cursor: str | None = None, list_key: bytes = CASES) -> PageRequest:
    return PageRequest(limit, _read(cursor, list_key) if cursor else None, list_key)


@pytest.mark.parametrize("count", range(6))
def test_a_list_ends_also_where_its_last_page_is_full(count: int) -> None:
    everything, seen, cursor, pages = list(range(1, count + 1)), [], None, 0
    while True:
        wanted = page(cursor=cursor)
        after = wanted.after(int) or 0
        found = wanted.of([each for each in everything if each > after][: wanted.fetch], key=lambda each: each)
        seen, pages, cursor = seen + found.items, pages + 1, found.next_cursor
        if cursor is None:
            break
    assert (seen, pages) == (everything, max(1, -(-count // 2)))


def test_a_cursor_carries_each_type() -> None:
    case_id, at = uuid4(), datetime(2026, 3, 2, 10, tzinfo=UTC)
    found = page(cursor=page().cursor(case_id, at, "王", -7)).after_all(type(case_id), datetime, str, int)
    assert found == (case_id, at, "王", -7)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/cases/v1/complaints", [("lender_id", "south")]),
        ("/cases/v1/cases", []),
        ("/cases/v1/cases", [("lender_id", "north")]),
        ("/cases/v1/cases", [("lender_id", "south"), ("held", "true")]),
    ],
)
def test_a_cursor_of_another_list_is_refused(path: str, parameters: list[tuple[str, str]]) -> None:
    cursor = page().cursor(uuid4())
    with pytest.raises(Invalid) as refused:
        page(cursor=cursor, list_key=list_key_of(KEY, path, parameters))
    assert refused.value.code == "cursor"


def test_the_same_filters_in_another_order_are_the_same_list() -> None:
    pairs = [("held", "true"), ("bucket", "M2")]
    assert list_key_of(KEY, "/x", pairs) == list_key_of(KEY, "/x", [*reversed(pairs), ("cursor", "c"), ("limit", "9")])


def test_a_forged_cursor_is_refused() -> None:
    packed = base64.urlsafe_b64encode(bytes(16) + json.dumps([str(uuid4())]).encode()).decode().rstrip("=")
    other_service = list_key_of(derived_key(b"k" * 32, "cursors/audit"), "/cases/v1/cases", [("lender_id", "south")])
    foreign = page(list_key=other_service).cursor(uuid4())
    good = page().cursor(uuid4())
    for forged in (packed, foreign, good[:-3], good + "AAAA", "WzFd", "!", "ä", "a" * 9_999, "\0", "=" * 5):
        with pytest.raises(Invalid):
            page(cursor=forged)


@pytest.mark.parametrize(
    ("parts", "kind"), [(("x",), int), ((1,), str), ((2**63,), int), (("no id",), type(uuid4())), (("1", "2"), str)]
)
def test_a_position_of_another_type_is_refused(parts: tuple[str | int, ...], kind: type) -> None:
    with pytest.raises(Invalid):
        page(cursor=page().cursor(*parts)).after(kind)
