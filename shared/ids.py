"""Identifiers. Every id of our own is a UUIDv7: unique without asking anyone, and in the order of creation."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7. Ids made by one process sort in the order in which they were made."""
    return uuid7()
