"""Signed notes and checkpoints: text that a key vouches for, in the form that Go's sumdb tools and C2SP witnesses read.
Its one rule: a note's text is worth nothing until `open_note` returned it, and a spelling other than the one
allowed is refused rather than understood. Sources: C2SP signed-note v1.0.0 and tlog-checkpoint v1.0.0.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
TREE_SIZE_MAX = (1 << 63) - 1
ROOT_BYTES = 32
KEY_ID_BYTES = 4
TIME_BYTES = 8
TIME_MAX = 253_402_300_799  # the last second of the year 9999
_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)", re.DOTALL)
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteInvalid(ValueError):
    """A note, checkpoint or key that must not be trusted; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(NoteInvalid):
    """A note that is well formed, and signed by none of the keys that were asked for."""


class Verifier:
    """A public key under a name. `key_id` is SHA-256(name ‖ newline ‖ kind ‖ key), its first 4 bytes."""

    kind = b"\x01"

    def __init__(self, name: str, public_key: Ed25519PublicKey) -> None:
        _check_name(name)
        self.name = name
        self._key = public_key
        self._raw = public_key.public_bytes_raw()
        self.key_id = sha256(name.encode() + b"\n" + self.kind + self._raw).digest()[:KEY_ID_BYTES]

    @property
    def public_bytes(self) -> bytes:
        return self._raw

    @property
    def vkey(self) -> str:
        """The key in one line, as Go's note.NewVerifier takes it: name+id in hex+base64 of type and key."""
        return f"{self.name}+{self.key_id.hex()}+{_to_base64(self.kind + self._raw)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a `vkey`. Raises NoteInvalid if it is malformed, of another kind, or its id is not that of its key."""
        found = _VKEY.fullmatch(vkey)
        if not found:
            raise NoteInvalid("the verifier key is not of the form name+id+key")
        name, key_id, encoded = found.groups()
        key = _from_base64(encoded, "the verifier key")
        if key[:1] != cls.kind or len(key) != 33:
            raise NoteInvalid(f"the verifier key is not an Ed25519 key of the type {cls.kind.hex()}")
        verifier = cls(name, Ed25519PublicKey.from_public_bytes(key[1:]))
        if verifier.key_id.hex() != key_id:
            raise NoteInvalid("the verifier key's id is not that of its name and key")
        return verifier

    def line(self, signature: bytes) -> str:
        """The line by which a note carries this key's signature, without its newline."""
        return f"{_DASH}{self.name} {_to_base64(self.key_id + signature)}"

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether the 64 bytes are this key's signature of the text."""
        try:
            self._key.verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class CosignatureVerifier(Verifier):
    """The public key of a witness, whose signature says when it was made (C2SP tlog-cosignature, cosignature/v1)."""

    kind = b"\x04"

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether the 72 bytes are a time, and this key's signature of the text at that time."""
        at = int.from_bytes(signature[:TIME_BYTES], "big")
        return at <= TIME_MAX and super().verify(cosigned_text(text, at), signature[TIME_BYTES:])

    def time_of(self, signature: bytes) -> int:
        """When a cosignature says it was made, in seconds since 1970."""
        return int.from_bytes(signature[:TIME_BYTES], "big")


def cosigned_text(text: str, at: int) -> str:
    """What a witness signs of a checkpoint's text."""
    return f"cosignature/v1\ntime {at}\n{text}"


class Signer:
    """A private key under a name; `verifier` is its public half."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self.verifier = Verifier(name, private_key.public_key())
        self.name = name
        self._key = private_key

    def line(self, text: str) -> str:
        """The signature line of the text, without its newline."""
        return self.verifier.line(self._key.sign(text.encode()))


def sign(text: str, *signers: Signer) -> str:
    """The signed note: text, blank line, one line a signer in the order given.

    Raises NoteInvalid if the text does not end with a newline or holds control characters, if there is no signer or
    the same twice, or if the note would be larger than NOTE_BYTES_MAX.
    """
    if not text.endswith("\n"):
        raise NoteInvalid("the text does not end with a newline")
    if len({(each.name, each.verifier.key_id) for each in signers}) != len(signers) or not signers:
        raise NoteInvalid("a note needs signers, each once")
    if len(signers) > SIGNATURES_MAX:
        raise NoteInvalid(f"more than {SIGNATURES_MAX} signatures")
    _check_characters(text)
    note = text + "\n" + "".join(each.line(text) + "\n" for each in signers)
    _check_characters(note)
    return note


def open_note(note: str | bytes, *verifiers: Verifier) -> str:
    """The text of a note that at least one of the verifiers signed.

    Raises NoteInvalid if the note is malformed, if a known key's signature is wrong or is there twice, or if no known
    key signed. Signatures of unknown keys are ignored, as the specification says, but must be well formed.
    """
    text, signatures = _parts(note)
    known = {(each.name, each.key_id): each for each in verifiers}
    seen = set()
    for name, key_id, signature in signatures:
        verifier = known.get((name, key_id))
        if verifier is None:
            continue
        if (name, key_id) in seen:
            raise NoteInvalid(f"two signatures by {name}")
        if not verifier.verify(text, signature):
            raise NoteInvalid(f"the signature by {name} is wrong")
        seen.add((name, key_id))
    if not seen:
        raise UnknownKey("no signature by a known key")
    return text


def signature_by(note: str, verifier: Verifier) -> bytes | None:
    """The first signature of this key on a note that holds; None if there is none. Raises NoteInvalid for no note."""
    text, signatures = _parts(note)
    for name, key_id, signature in signatures:
        if (name, key_id) == (verifier.name, verifier.key_id) and verifier.verify(text, signature):
            return signature
    return None


def signers_of(note: str) -> list[str]:
    """Name and key id, `NAME+ID`, of each signature line, unverified. Raises NoteInvalid for no note."""
    return [f"{name}+{key_id.hex()}" for name, key_id, _ in _parts(note)[1]]


def _parts(note: str | bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's text, and its signatures. Nothing of it may be trusted yet."""
    if isinstance(note, bytes):
        try:
            note = note.decode()
        except UnicodeDecodeError:
            raise NoteInvalid("not UTF-8") from None
    _check_characters(note)
    text, gap, block = note.rpartition("\n\n")
    if not gap:
        raise NoteInvalid("no blank line between text and signatures")
    return text + "\n", _signatures(block)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size in leaves and its root of 32 bytes. We write no extension lines; those of others are kept."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= TREE_SIZE_MAX:
            raise NoteInvalid("the tree size is out of range")
        if len(self.root) != ROOT_BYTES:
            raise NoteInvalid(f"the root is not {ROOT_BYTES} bytes")
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise NoteInvalid("an origin or extension is not one line of text")
            _check_characters(line)

    def text(self) -> str:
        """The note text to sign: origin, size, root in base64, a line each."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _to_base64(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of an opened note. Raises NoteInvalid for any other spelling (leading zeroes, base64, blanks).

        That the origin is the log asked for remains to be checked by the caller.
        """
        if not text.endswith("\n"):
            raise NoteInvalid("the checkpoint does not end with a newline")
        lines = text[:-1].split("\n")
        if len(lines) < 3:
            raise NoteInvalid("a checkpoint has at least three lines")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise NoteInvalid("the tree size is not a plain decimal number")
        return cls(origin, int(size), _from_base64(root, "the root"), tuple(extensions))


def _signatures(block: str) -> list[tuple[str, bytes, bytes]]:
    """Key name, key id and signature of each line. Raises NoteInvalid if one is malformed."""
    if not block.endswith("\n"):
        raise NoteInvalid("the signatures do not end with a newline")
    lines = block[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteInvalid(f"more than {SIGNATURES_MAX} signatures")
    found = []
    for line in lines:
        name, _, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH):
            raise NoteInvalid("a signature line does not begin with a dash and a space")
        _check_name(name)
        signature = _from_base64(encoded, "a signature")
        if len(signature) <= KEY_ID_BYTES:
            raise NoteInvalid("a signature is too short")
        found.append((name, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:]))
    return found


def _check_name(name: str) -> None:
    if not name or "+" in name or any(each.isspace() for each in name):
        raise NoteInvalid("a key name is empty or holds a space or a plus")
    _check_characters(name)


def _check_characters(text: str) -> None:
    if _CONTROL.search(text):
        raise NoteInvalid("a control character")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise NoteInvalid("a lone surrogate") from None
    if size > NOTE_BYTES_MAX:
        raise NoteInvalid(f"more than {NOTE_BYTES_MAX} bytes")


def _to_base64(data: bytes) -> str:
    return b64encode(data).decode()


def _from_base64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise NoteInvalid(f"{what} is not base64") from None
    # Python ignores stray bits after the last byte; two spellings of one signature would be two notes.
    if not text or _to_base64(data) != text:
        raise NoteInvalid(f"{what} is not canonical base64")
    return data
