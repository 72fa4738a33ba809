"""Keys of a process: read from the files that the settings name; in development, made once in the keys folder.

A private key file is readable by its owner only, and two processes that start together end with the same key.
"""

import base64
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.sealing import KEY_BYTES
from shared.settings import Settings


def write_once(path: Path, content: bytes) -> bytes:
    """Write an owner-only file unless it exists; returns what it holds afterwards, whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            draft.unlink()
    return path.read_bytes()


def new_private_key() -> bytes:
    """A fresh Ed25519 private key as PEM (PKCS 8)."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_key(path: Path | None, *, settings: Settings, name: str) -> Ed25519PrivateKey:
    """The Ed25519 key in `path`, or the development key `name` of the keys folder."""
    pem = path.read_bytes() if path else write_once(settings.keys_path / f"{name}.pem", new_private_key())
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path or name}: an Ed25519 private key in PEM is needed")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """RFC 7638-like short name of a public key, for `kid`."""
    return base64.urlsafe_b64encode(_raw(key)).decode().rstrip("=")[:16]


def jwks(*keys: Ed25519PublicKey) -> str:
    """The public keys as a JSON Web Key Set."""
    entries = [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": key_id(key),
            "x": base64.urlsafe_b64encode(_raw(key)).decode().rstrip("="),
        }
        for key in keys
    ]
    return json.dumps({"keys": entries}, indent=1)


def master_key(settings: Settings) -> bytes:
    """The 32 bytes that wrap every subject's key."""
    path = settings.master_key_file
    fresh = base64.b64encode(os.urandom(KEY_BYTES))
    return base64.b64decode(path.read_bytes() if path else write_once(settings.keys_path / "master.key", fresh))


def derived_key(master: bytes, purpose: str) -> bytes:
    """A key of its own for one purpose, the same in every process that has the master key (HKDF, RFC 5869)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"doorstep/{purpose}".encode()).derive(master)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
