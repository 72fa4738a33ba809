"""Sealing of personal data: AES-256-GCM, under a key of the person or thing that the data are about.

Sealed bytes are: the format, one byte; the id of the key, 8 bytes; a nonce, 12 bytes; the ciphertext with its tag. The
additional data name the table, the column and the row: bytes that are moved to another row do not open there. Earlier
releases wrote nonce and ciphertext only, with a purpose as additional data; such bytes still open.
"""

import json
import os
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = b"\x01"
KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_spell = json.JSONEncoder(ensure_ascii=False).encode


class Sealer:
    """Seals bytes under a 32-byte key. What is sealed for one purpose does not open for another."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes, this one {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, purpose: str | bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _bytes(purpose))

    def open(self, sealed: bytes, purpose: str | bytes) -> bytes:
        """The plain bytes. Raises cryptography's InvalidTag if altered, or sealed for another purpose."""
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bytes(purpose))


def _bytes(purpose: str | bytes) -> bytes:
    return purpose.encode() if isinstance(purpose, str) else purpose


@dataclass(frozen=True, slots=True)
class Place:
    """Where sealed bytes are stored: table, column and the primary key of the row. `before` is the purpose under which
    earlier releases sealed the bytes of this place, empty for a place that they did not have; `by_master` says that
    they sealed by the master key itself, not by a key of the subject."""

    table: str
    column: str
    row: tuple[object, ...]
    before: str = ""
    by_master: bool = False

    @property
    def additional_data(self) -> bytes:
        return spelled(self.table, self.column, *map(str, self.row))


class SubjectKey:
    """The key of one subject and one class of its data."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)
        self._begin = FORMAT + key_id(key)

    @property
    def before(self) -> Sealer:
        """Opens what earlier releases sealed by this key."""
        return Sealer(self._key)

    def has_sealed(self, sealed: bytes) -> bool:
        """Whether bytes name this key. Bytes of an earlier release do so once in 2^72."""
        return sealed.startswith(self._begin)

    def seal(self, place: Place, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return self._begin + nonce + self._cipher.encrypt(nonce, plain, place.additional_data)

    def open(self, place: Place, sealed: bytes) -> bytes:
        """The plain bytes. Raises InvalidTag if altered, or sealed at another place."""
        rest = sealed[len(self._begin) :]
        return self._cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], place.additional_data)


def spelled(*names: str) -> bytes:
    """Names as additional data: other names, or the same in another order, are other bytes."""
    return _spell(names).encode()


def key_id(key: bytes) -> bytes:
    """Names a key without saying anything about it."""
    return sha256(b"doorstep/key-id\0" + key).digest()[:_KEY_ID_BYTES]
