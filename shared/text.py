"""Which text a database can store: PostgreSQL refuses NUL, and half of a surrogate pair is no UTF-8."""

from collections.abc import Mapping
from typing import Any


def storable(text: str) -> bool:
    """Whether every database of ours can store this text."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def all_storable(value: Any) -> bool:
    """Whether each text in a value, at any depth of lists and mappings, can be stored."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return all(all_storable(key) and all_storable(each) for key, each in value.items())
    return not isinstance(value, list | tuple) or all(map(all_storable, value))
