"""The one byte form of a JSON value: RFC 8785 within a profile in which sorted json.dumps already is RFC 8785.
Its one rule: what is outside the profile (floats, keys beyond ASCII, integers beyond 2^53 - 1, lone surrogates)
is refused by path, never rounded or repaired; reasons never quote a value, which may be personal.
"""

import json
from hashlib import sha256
from typing import NoReturn, cast

from pydantic_core import to_json

INTEGER_MAX = (1 << 53) - 1
DEPTH_MAX = 32
SALT_BYTES = 32
_COMMITMENT = b"doorstep/priv/v1\x00"

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


class NotCanonical(ValueError):
    """A value or bytes outside the profile. `path` is the place (`$.data.sums[2]`), `reason` says what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def canonical(obj: object) -> bytes:
    """The value's only byte form, UTF-8 JSON: keys sorted, no space, shortest escapes (RFC 8785).

    Takes None, bool, int, str, list or tuple, and dict with str keys; raises NotCanonical for the rest.
    """
    try:
        return to_json(_in_order(obj, DEPTH_MAX))
    except (ValueError, TypeError):  # unusual, or wrong: the complete check says which, and where
        _check(obj, "$", DEPTH_MAX)
    try:
        return _encode(obj).encode()
    except UnicodeEncodeError:
        _check(obj, "$", DEPTH_MAX)
        raise NotCanonical("$", "a lone surrogate") from None


def parse_canonical(data: bytes) -> object:
    """The value of canonical bytes. Raises NotCanonical for every other spelling of it, too (so bytes and value are
    one to one): doubled keys, spaces, other escapes or order, floats, a byte order mark, bytes that are not UTF-8.
    """
    try:
        value = cast(object, json.loads(data.decode()))
    except UnicodeDecodeError:
        raise NotCanonical("$", "not UTF-8") from None
    except RecursionError:
        raise NotCanonical("$", f"nested more than {DEPTH_MAX} deep") from None
    except ValueError:
        raise NotCanonical("$", "not JSON") from None
    if canonical(value) != data:
        _refuse_doubled_keys(data)
        raise NotCanonical("$", "not in canonical form")
    return value


def commitment(value: object, salt: bytes) -> str:
    """What a leaf holds in place of a personal value: SHA-256("doorstep/priv/v1" 0x00 ‖ salt ‖ canonical(value)), hex.

    `salt` is 32 random bytes, kept sealed with the value. Raises ValueError for another length, NotCanonical.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt is {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(_COMMITMENT + salt + canonical(value)).hexdigest()


def _in_order(value: object, depth: int) -> object:
    """A value of exact built-in types that fits, its keys sorted. Raises ValueError or TypeError for all else.

    A third of a leaf's cost is here, so text, the usual value, is passed without a call. Lone surrogates come later.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int and -INTEGER_MAX <= cast(int, value) <= INTEGER_MAX:
        return value
    if kind is dict and depth:
        mapping, found = cast(dict[str, object], value), {}
        for key in sorted(mapping):
            if type(key) is not str or not key.isascii():
                raise ValueError("a key that is not plainly fit")
            inner = mapping[key]
            found[key] = inner if type(inner) is str or inner is None else _in_order(inner, depth - 1)
        return found
    if (kind is list or kind is tuple) and depth:
        return [_in_order(inner, depth - 1) for inner in cast(list[object], value)]
    raise ValueError("not plainly fit")


def _check(value: object, path: str, depth: int) -> None:
    """The slow, complete check: returns for what fits (subclasses of built-in types too), else says where and why."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif not isinstance(value, dict | list | tuple):
        _check_number(value, path)
    elif not depth:
        raise NotCanonical(path, f"nested more than {DEPTH_MAX} deep")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotCanonical(path, "a key that is not ASCII text")
            _check(inner, f"{path}.{key}", depth - 1)
    else:
        for at, inner in enumerate(value):
            _check(inner, f"{path}[{at}]", depth - 1)


def _check_number(value: object, path: str) -> None:
    if isinstance(value, float):
        raise NotCanonical(path, "a float (write an integer or a string)")
    if not isinstance(value, int):
        raise NotCanonical(path, f"{type(value).__name__} is not JSON")
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise NotCanonical(path, "an integer beyond 2^53 - 1")


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonical(path, "a lone surrogate") from None


def _refuse_doubled_keys(data: bytes) -> None:
    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(items)
        if len(found) != len(items):
            doubled()
        return found

    def doubled() -> NoReturn:
        raise NotCanonical("$", "a key that is there twice in one object")

    json.loads(data, object_pairs_hook=pairs)
