"""A debtor's personal data, and how it is sealed. Nothing of it leaves this room but in a dossier."""

import hmac
import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID

IDENTITY = "debtor-identity"
ADDRESS = "debtor-address"
PERSON_REF_BYTES = 16


class Seals(Protocol):
    """The key of one debtor."""

    def seal(self, plain: bytes, purpose: str) -> bytes: ...

    def open(self, sealed: bytes, purpose: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Identity:
    debtor_ref: str
    name: str | None = None
    national_id: str | None = None
    phone: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Position in degrees, WGS 84."""

    text: str | None = None
    district: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class OpenDebtor:
    """A debtor to open: the one of a case that is opened at the same time. `person_ref` is the same for one person at
    every lender, where a national id is known."""

    id: UUID
    case_id: UUID
    ref_digest: bytes
    identity: Identity
    address: Address
    person_ref: str | None


def seal(value: Identity | Address, key: Seals) -> bytes:
    purpose = IDENTITY if isinstance(value, Identity) else ADDRESS
    return key.seal(json.dumps(asdict(value), ensure_ascii=False).encode(), purpose)


def open_identity(sealed: bytes, key: Seals) -> Identity:
    return Identity(**_opened(sealed, key, IDENTITY))


def open_address(sealed: bytes, key: Seals) -> Address:
    return Address(**_opened(sealed, key, ADDRESS))


def _opened(sealed: bytes, key: Seals, purpose: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(key.open(sealed, purpose))
    return document


def reference_digest(master_key: bytes, lender_id: str, reference: str) -> bytes:
    """Keyed, so that nobody without the key can guess references."""
    return hmac.digest(master_key, f"debtor-ref/{lender_id}/{reference}".encode(), sha256)


def person_ref(master_key: bytes, country: str, national_id: str) -> str:
    """The same for a person at every lender (hex). Keyed, so that nobody without the key can guess whose it is."""
    told = f"person/{country}/{national_id.strip().upper()}".encode()
    return hmac.digest(master_key, told, sha256)[:PERSON_REF_BYTES].hex()
