"""Files that a user hands over, JSON or YAML: read as they stand. Doubled fields, numbers that are none, and nesting
beyond reason are refused in words."""

import json
from pathlib import Path
from typing import Any

from shared.cli.output import Exit, fail
from shared.plain_yaml import NotPlain, read_plain


def content_of(file: Path) -> bytes:
    """Ends the command where the file cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        fail(Exit.MISSING, f"{file} cannot be read: {error.strerror}.")


def text_of(file: Path) -> str:
    """Ends the command where the file cannot be read, or is not UTF-8 text."""
    try:
        return content_of(file).decode()
    except UnicodeDecodeError:
        fail(Exit.USAGE, f"{file} is not UTF-8 text.")


def document_of(file: Path) -> Any:
    """The value in a file. Ends the command where it is none."""
    try:
        return _json(text_of(file)) if file.suffix == ".json" else read_plain(content_of(file))
    except RecursionError:
        fail(Exit.USAGE, f"{file.name}: nested too deeply.")
    except (NotPlain, ValueError) as error:
        fail(Exit.USAGE, f"{file.name}: {error}")


def _json(content: str) -> Any:
    return json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {max(names, key=names.count)!r} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
