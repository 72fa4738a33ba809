"""The master keys of an installation: a file with one key a line, newest first. The newest wraps, all unwrap.

A running process notices a change of the file at its next use of a key, so keys are added and taken away without a
restart.
"""

import base64
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shared.errors import CannotRun, Unavailable
from shared.private_files import replace_file
from shared.sealing import KEY_BYTES, Sealer, key_id, spelled
from shared.settings import SettingsRefused
from shared.telemetry import Log, Throttled

UNDER_WAY = "# A rotation is under way: `doorstep keys rotate` goes on with it."
_HEAD = "# Master keys of Doorstep, newest first. The line before a key is its id."

_trouble = Throttled(Log("keys"))


@dataclass(frozen=True)
class MasterKey:
    """A key that wraps the keys of subjects (a key-encryption key)."""

    key: bytes

    @cached_property
    def id(self) -> str:
        return key_id(self.key).hex()

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer(self.key)

    def wrap(self, key: bytes, subject: str, of_class: str) -> bytes:
        return self._sealer.seal(key, _owner(subject, of_class))

    def unwrap(self, wrapped: bytes, subject: str, of_class: str) -> bytes:
        """Raises InvalidTag for bytes that this key did not wrap, or not for this subject and class."""
        return self._sealer.open(wrapped, _owner(subject, of_class))


def _owner(subject: str, of_class: str) -> bytes:
    return spelled("subject_key", subject, of_class)


class Keyring:
    """The master keys, as the file holds them now. `place` names the file in messages."""

    def __init__(self, path: Path, place: str) -> None:
        self.path = path
        self.place = place
        self._seen = self._version()
        self._keys = keys_in(path, place)

    @property
    def keys(self) -> tuple[MasterKey, ...]:
        """Newest first. While the file cannot be read or is not whole, the keys that it held before."""
        seen = self._version()
        if seen != self._seen:
            try:
                self._keys = keys_in(self.path, self.place)
                self._seen = seen
            except (CannotRun, SettingsRefused) as error:
                _trouble.warning("the file of the master keys cannot be used", reason=type(error).__name__)
        return self._keys

    @property
    def newest(self) -> MasterKey:
        return self.keys[0]

    def find(self, id: str) -> MasterKey:
        """Raises Unavailable where the file has no such key (yet): another process may wrap by it already."""
        for key in self.keys:
            if key.id == id:
                return key
        raise Unavailable(
            "master-key-missing", f"This process lacks the master key {id}. Add its line to {self.place}."
        )

    def line_of(self, key: MasterKey) -> int:
        """The line of the file that holds a key, counted from 1. A key that is broken into lines begins the file."""
        lines = self.path.read_bytes().splitlines()
        return next((number for number, line in enumerate(lines, 1) if _key(line.strip()) == key.key), 1)

    def _version(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_ino, found.st_size


def keys_in(path: Path, place: str) -> tuple[MasterKey, ...]:
    """The keys of a file, newest first. Raises CannotRun where it cannot be read, SettingsRefused where a line is no
    key."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotRun(f"{place} cannot be read: {error.strerror}.") from error
    lines = [line.strip() for line in content.splitlines()]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    whole = _key(b"".join(lines))  # one key may be broken into lines
    keys = [whole] if whole else [_key(line) for line in lines]
    if not keys or None in keys:
        raise SettingsRefused(f"{place} must hold {KEY_BYTES} random bytes in base64, in each line that holds a key.")
    return tuple(MasterKey(key) for key in dict.fromkeys(keys) if key)


def _key(text: bytes) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


@contextmanager
def changing(ring: Keyring) -> Iterator[None]:
    """Only one process at a time changes the file. Raises CannotRun where it cannot be changed."""
    try:
        folder = os.open(ring.path.parent, os.O_RDONLY)
    except OSError as error:
        raise CannotRun(f"{ring.place} cannot be changed: {error.strerror}.") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def is_under_way(ring: Keyring) -> bool:
    """Whether a rotation was begun and not ended."""
    return UNDER_WAY.encode() in ring.path.read_bytes().splitlines()


def add(ring: Keyring, key: bytes, *, under_way: bool = False) -> MasterKey:
    """Put a key on top, on disk before anything is wrapped by it, and note whether a rotation is under way. Call it
    while `changing`."""
    new = MasterKey(key)
    _write(ring, (new, *(each for each in ring.keys if each != new)), under_way=under_way)
    return new


def end(ring: Keyring) -> None:
    """Note that the rotation is over. Call it while `changing`."""
    _write(ring, ring.keys, under_way=False)


def _write(ring: Keyring, keys: tuple[MasterKey, ...], *, under_way: bool) -> None:
    lines = [_HEAD, *([UNDER_WAY] if under_way else [])]
    for key in keys:
        lines += [f"# {key.id}", base64.b64encode(key.key).decode()]
    try:
        replace_file(ring.path, "\n".join([*lines, ""]).encode())
    except OSError as error:
        raise CannotRun(
            f"{ring.place} cannot be written: {error.strerror}. Add the new key as its first line, by hand."
        ) from error
