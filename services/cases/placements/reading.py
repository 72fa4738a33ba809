"""From the bytes of a file to its rows: CSV, NDJSON or JSON, one row at a time, with the line where each begins.

A row that cannot be read is a row error; only a file without the needed columns is refused as a whole.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from services.cases.placements.domain import RowRefused

CSV = "text/csv"
NDJSON = "application/x-ndjson"
JSON = "application/json"
LINE_CHARACTERS_MAX = 1_000_000


class FileRefused(Exception):
    """Nothing of the file can be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in the file, or why it could not be read."""

    line: int
    cells: dict[str, Any]
    refused: RowRefused | None = None


def read_rows(file: IO[bytes], media_type: str, needed: Iterable[str]) -> Iterator[RawRow]:
    """The rows of a file. Raises FileRefused where a needed column is missing or the file is not of its type."""
    if media_type == CSV:
        return _csv_rows(file, set(needed))
    return _ndjson_rows(file) if media_type == NDJSON else _json_rows(file)


def _csv_rows(file: IO[bytes], needed: set[str]) -> Iterator[RawRow]:
    # Bytes that are not UTF-8 become lone surrogates, so that a broken row is known and the next one is not lost.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    yield from _rows_of(text, file, needed)
    text.detach()  # the caller closes the file


def _rows_of(text: io.TextIOWrapper, file: IO[bytes], needed: set[str]) -> Iterator[RawRow]:
    csv.field_size_limit(LINE_CHARACTERS_MAX)
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise FileRefused(f"the header cannot be read: {error}") from None
    missing = sorted(needed - set(header))
    if missing:
        raise FileRefused(f"the file has no column {', '.join(missing)}, which the profile names")
    ends_whole = _ends_with_newline(file)
    line = reader.line_num + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield RawRow(line, {}, RowRefused("(row)", "row-malformed", "The row is not CSV: is a quote left open?"))
            line = reader.line_num + 1
            continue
        if cells:
            yield _csv_row(header, cells, line, cut=not ends_whole and _at_end(text))
        line = reader.line_num + 1


def _ends_with_newline(file: IO[bytes]) -> bool:
    here = file.tell()
    file.seek(-1, io.SEEK_END)
    last = file.read(1)
    file.seek(here)
    return last == b"\n"


def _at_end(text: io.TextIOWrapper) -> bool:
    return text.buffer.peek(1) == b"" if hasattr(text.buffer, "peek") else False


def _csv_row(header: list[str], cells: list[str], line: int, *, cut: bool) -> RawRow:
    if len(cells) != len(header):
        if cut and len(cells) < len(header):
            return RawRow(line, {}, RowRefused("(row)", "file-cut", "The file ends in the middle of this row."))
        message = f"The row has {len(cells)} cells, the header {len(header)}."
        return RawRow(line, {}, RowRefused("(row)", "row-malformed", message))
    if any(_broken(cell) for cell in cells):
        return RawRow(line, {}, RowRefused("(row)", "encoding", "The row is not UTF-8. Save the file as UTF-8."))
    return RawRow(line, dict(zip(header, cells, strict=True)))


def _broken(cell: str) -> bool:
    return (not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell)) or "\x00" in cell


def _ndjson_rows(file: IO[bytes]) -> Iterator[RawRow]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        if len(line) > LINE_CHARACTERS_MAX:
            yield RawRow(number, {}, RowRefused("(row)", "row-too-long", "The line is too long."))
            continue
        try:
            cells = json.loads(line.decode())
        except UnicodeDecodeError:
            yield RawRow(number, {}, RowRefused("(row)", "encoding", "The row is not UTF-8."))
            continue
        except (ValueError, RecursionError):
            code = "row-malformed" if line.endswith(b"\n") else "file-cut"
            yield RawRow(number, {}, RowRefused("(row)", code, "The line is not a JSON object."))
            continue
        yield _object_row(number, cells)


def _json_rows(file: IO[bytes]) -> Iterator[RawRow]:
    try:
        document = json.loads(file.read().decode())
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise FileRefused("the file is not a JSON document in UTF-8") from None
    rows = document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise FileRefused('the document needs a list "rows"')
    for number, cells in enumerate(rows, start=1):
        yield _object_row(number, cells)


def _object_row(number: int, cells: Any) -> RawRow:
    if isinstance(cells, dict):
        return RawRow(number, cells)
    return RawRow(number, {}, RowRefused("(row)", "row-malformed", "A row is a JSON object."))
