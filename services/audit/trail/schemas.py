"""Replies about entries and proofs. Hashes are hex, as 64 digits."""

from typing import Any

from pydantic import BaseModel


class TypeCount(BaseModel):
    type: str
    count: int


class TypeCounts(BaseModel):
    items: list[TypeCount]


class InclusionProofView(BaseModel):
    """RFC 6962: that the leaf with this hash is entry `index` of the tree of `size` entries with this root."""

    log: str
    index: int
    size: int
    leaf_hash: str
    root: str
    proof: list[str]


class ConsistencyProofView(BaseModel):
    """RFC 6962: that the tree of `to` entries begins with the tree of `from` entries."""

    log: str
    old_size: int
    new_size: int
    old_root: str
    new_root: str
    proof: list[str]


class EntryView(BaseModel):
    """An entry: the leaf as it was hashed, and its place."""

    log: str
    index: int
    leaf_hash: str
    leaf: dict[str, Any]


class ProvenEntryView(EntryView):
    """`leaf_text` is the leaf to the byte: its SHA-256 behind a zero byte is the leaf hash."""

    leaf_text: str
    inclusion: InclusionProofView
