"""Sealing of personal data: AES-256-GCM under a key per subject, and that key wrapped by a master key.

The database holds sealed bytes only; destroying a subject's wrapped key erases the person everywhere at once.
"""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
KEY_BYTES = 32


class Sealer:
    """Seals bytes under a 32-byte key. What is sealed for one purpose does not open for another."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes, this one {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The plain bytes. Raises cryptography's InvalidTag if altered, or sealed for another purpose."""
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())

    def new_subject_key(self) -> tuple[bytes, "Sealer"]:
        """A fresh key for one subject: wrapped by this one (to store), and ready to use."""
        key = os.urandom(KEY_BYTES)
        return self.seal(key, "subject-key"), Sealer(key)

    def subject(self, wrapped: bytes) -> "Sealer":
        """The sealer of a subject, from its wrapped key."""
        return Sealer(self.open(wrapped, "subject-key"))
