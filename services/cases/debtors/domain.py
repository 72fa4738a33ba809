"""A debtor's personal data, and how it is packed to be sealed. Nothing of it leaves this room but in a dossier."""

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

PERSON_REF_BYTES = 16
_spell = json.JSONEncoder(ensure_ascii=False).encode
# A collector of these statuses makes no visits and reads no dossier.
OFF_DUTY = ("SUSPENDED", "LEFT")


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


def packed(value: Identity | Address) -> bytes:
    """Its fields as JSON. They are plain values: `asdict` would copy each of them."""
    return _spell({name: getattr(value, name) for name in value.__slots__}).encode()


def identity_in(content: bytes) -> Identity:
    return Identity(**_unpacked(content))


def address_in(content: bytes) -> Address:
    return Address(**_unpacked(content))


def _unpacked(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(content)
    return document


def reference_digest(digest_key: bytes, lender_id: str, reference: str) -> bytes:
    """Keyed, so that nobody without the key can guess references."""
    return hmac.digest(digest_key, f"debtor-ref/{lender_id}/{reference}".encode(), sha256)


def person_ref(digest_key: bytes, country: str, national_id: str) -> str:
    """The same for a person at every lender (hex). Keyed, so that nobody without the key can guess whose it is."""
    told = f"person/{country}/{national_id.strip().upper()}".encode()
    return hmac.digest(digest_key, told, sha256)[:PERSON_REF_BYTES].hex()
