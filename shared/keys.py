"""Keys of a process: read from the files that the settings name; in development, made once in the keys folder.

A private key file is readable by its owner only, and two processes that start together end with the same key.
"""

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import CannotRun
from shared.keyring import Keyring, keys_in
from shared.sealing import KEY_BYTES
from shared.settings import PREFIX, Settings, SettingsRefused


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


def private_key(setting: str | None, *, settings: Settings, name: str) -> Ed25519PrivateKey:
    """The Ed25519 key in the file that `setting` names, or the development key `name` of the keys folder. Raises
    CannotRun where the file cannot be read, SettingsRefused where it holds no such key."""
    if setting is None or getattr(settings, setting) is None:
        path = settings.keys_path / f"{name}.pem"
        return _ed25519(write_once(path, new_private_key()), str(path))
    return _ed25519(settings.content_of(setting), f"{PREFIX}{setting.upper()}: {getattr(settings, setting)}")


def existing_key(settings: Settings, name: str) -> Ed25519PrivateKey:
    """The development key `name` of the keys folder. Raises CannotRun where there is none: a new key would be worth
    nothing to a system that runs."""
    path = settings.keys_path / f"{name}.pem"
    if not path.is_file():
        raise CannotRun(
            f"There is no {path}: the system makes it at its first start. Name the data folder with --data, or the "
            "folder of the keys with --keys."
        )
    return _ed25519(path.read_bytes(), str(path))


def _ed25519(pem: bytes, place: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsRefused(f"{place} holds no Ed25519 private key in PEM without a password.")
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


def keyring(settings: Settings) -> Keyring:
    """The keys that wrap every subject's key. In development one is made at the first use. Raises CannotRun or
    SettingsRefused as `private_key` does."""
    path, place = _master_key_file(settings)
    if settings.master_key_file is None:
        digest_secret(settings)  # first: master keys without it are those of an earlier release
        write_once(path, base64.b64encode(os.urandom(KEY_BYTES)))
    return Keyring(path, place)


def digest_secret(settings: Settings) -> bytes:
    """The 32 bytes by which known debtors are recognised. They never change: every known debtor would become a
    stranger. An earlier release used its master key for that, so where there is a master key and no secret, the oldest
    master key becomes the secret. Raises CannotRun or SettingsRefused."""
    if settings.digest_secret_file is None:
        path = settings.keys_path / "digest.key"
        place = str(path)
    else:
        path = settings.digest_secret_file
        place = f"{PREFIX}DIGEST_SECRET_FILE: {path}"
    if not path.exists():
        _make_digest_secret(settings, path, place)
    # One key in one line, as a file of one master key.
    [secret] = keys_in(path, place)[:1]
    return secret.key


def _make_digest_secret(settings: Settings, path: Path, place: str) -> None:
    master, master_place = _master_key_file(settings)
    if settings.master_key_file is not None or master.exists():
        secret = keys_in(master, master_place)[-1].key
    else:
        secret = os.urandom(KEY_BYTES)
    try:
        write_once(path, base64.b64encode(secret))
    except OSError as error:
        raise CannotRun(
            f"{place} is not there and cannot be made: {error.strerror}. In a new installation put {KEY_BYTES} random "
            "bytes in base64 there; in one of an earlier release a copy of its master key."
        ) from error


def _master_key_file(settings: Settings) -> tuple[Path, str]:
    if settings.master_key_file is not None:
        return settings.master_key_file, f"{PREFIX}MASTER_KEY_FILE: {settings.master_key_file}"
    path = settings.keys_path / "master.key"
    return path, str(path)


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of its own for one purpose, the same in every process that has the secret (HKDF, RFC 5869)."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=f"doorstep/{purpose}".encode()).derive(secret)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
