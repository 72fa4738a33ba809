"""The only reader of YAML that users send or name: mappings, lists, text, whole numbers, decimals, true and false.

Tags, anchors, aliases, merge keys, doubled keys, other encodings and deep nesting are refused, so that a file says what
it seems to say and cannot grow in memory. Text such as 22:00, 2026-01-30 or no stays text; the schema knows its type.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from shared.text import storable

BYTES_MAX = 500_000
DEPTH_MAX = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?\d{1,18}")
_DECIMAL = re.compile(r"[-+]?\d{1,18}\.\d{1,18}")


class NotPlain(ValueError):
    """What is wrong with the text, and on which line."""

    def __init__(self, line: int | None, what: str) -> None:
        super().__init__(f"line {line}: {what}" if line else what)
        self.line = line


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    value: dict[str, Any] | list[Any]
    key: str | None = None


class Lined(dict[str, Any]):
    """A mapping that remembers the line on which it begins."""

    line: int | None = None


def read_plain(content: bytes) -> Any:
    """The value that a text describes. Raises NotPlain."""
    text = _decoded(content)
    done: list[Any] = []
    stack: list[_Open] = []
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent) and done:
                raise NotPlain(_line(event), "there is a second document; a file holds one")
            _take(event, stack, done)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotPlain(mark.line + 1 if mark else None, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise NotPlain(None, f"not YAML: {error}") from None
    return done[0] if done else None


def _decoded(content: bytes) -> str:
    if len(content) > BYTES_MAX:
        raise NotPlain(None, f"larger than {BYTES_MAX:,} bytes")
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise NotPlain(1, "the file begins with a byte order mark; save it as UTF-8 without one")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise NotPlain(line, "not UTF-8; save the file as UTF-8") from None


def _take(event: yaml.Event, stack: list[_Open], done: list[Any]) -> None:
    """One event of the parser: open, close, or put in place."""
    if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        stack.pop()
        return
    if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent | yaml.AliasEvent):
        return
    line = _line(event)
    if event.anchor is not None:
        raise NotPlain(line, "anchors (&) and aliases (*) are not allowed; write the value out")
    if not isinstance(event, yaml.AliasEvent) and event.tag is not None:
        raise NotPlain(line, f"tags are not allowed ({event.tag}); write the plain value")
    if isinstance(event, yaml.ScalarEvent):
        _put(_scalar(event), line, stack, done)
        return
    if len(stack) >= DEPTH_MAX:
        raise NotPlain(line, f"nested deeper than {DEPTH_MAX} levels")
    value: dict[str, Any] | list[Any] = []
    if isinstance(event, yaml.MappingStartEvent):
        value = Lined()
        value.line = line
    _put(value, line, stack, done)
    stack.append(_Open(value))


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _scalar(event: Any) -> Any:
    text: str = event.value
    if not storable(text):
        raise NotPlain(_line(event), "a character that no text may hold (NUL or half of a surrogate pair)")
    if event.style:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _put(value: Any, line: int | None, stack: list[_Open], done: list[Any]) -> None:
    if not stack:
        done.append(value)
        return
    top = stack[-1]
    if isinstance(top.value, list):
        top.value.append(value)
    elif top.key is None:
        if not isinstance(value, str):
            raise NotPlain(line, "a field's name must be text")
        if value == "<<":
            raise NotPlain(line, "merge keys (<<) are not allowed; write the fields out")
        if value in top.value:
            raise NotPlain(line, f"the field {value!r} is there twice")
        top.key = value
    else:
        top.value[top.key] = value
        top.key = None
