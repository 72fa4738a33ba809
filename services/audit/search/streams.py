"""A search as lines: CSV for spreadsheets, NDJSON for programs. A cell that a spreadsheet would run as a formula is
made plain text."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from services.audit.trail.projections import rules_of
from services.audit.trail.schemas import EntryView

COLUMNS = (
    "log",
    "index",
    "leaf_hash",
    "occurred_at",
    "recorded_at",
    "type",
    "outcome",
    "actor",
    "subjects",
    "rules",
    "correlation_id",
    "event_id",
    "aggregate_id",
    "aggregate_version",
    "data",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def as_ndjson(pages: AsyncIterator[Sequence[EntryView]]) -> AsyncIterator[bytes]:
    """One JSON document a line, the same as in a page."""
    async for entries in pages:
        yield b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)


async def as_csv(pages: AsyncIterator[Sequence[EntryView]]) -> AsyncIterator[bytes]:
    """RFC 4180, with a header; UTF-8 with a mark, by which spreadsheets know it."""
    yield b"\xef\xbb\xbf" + _lines([COLUMNS])
    async for entries in pages:
        yield _lines([_row(entry) for entry in entries])


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([plain_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def plain_cell(cell: Any) -> str:
    """The cell as text that no spreadsheet takes for a formula."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(entry: EntryView) -> tuple[Any, ...]:
    leaf = entry.leaf
    aggregate = leaf.get("aggregate") or {}
    actor = leaf.get("actor", {})
    return (
        entry.log,
        entry.index,
        entry.leaf_hash,
        leaf.get("occurredAt"),
        leaf.get("recordedAt"),
        leaf.get("type"),
        leaf.get("outcome"),
        f"{actor.get('kind', '')}:{actor.get('ref', '')}",
        " ".join(subject["ref"] for subject in leaf.get("subjects", ())),
        " ".join(rules_of(leaf.get("data", {}))),
        leaf.get("correlationId"),
        leaf.get("eventId"),
        aggregate.get("id"),
        aggregate.get("version"),
        json.dumps(leaf.get("data", {}), ensure_ascii=False, separators=(",", ":")),
    )
