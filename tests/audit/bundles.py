"""Reads an entry bundle as those who fetch one do (C2SP tlog-tiles)."""

from services.audit.tlog.tiles import TILE_WIDTH


def decode_entries(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError if it is cut short or holds more than 256."""
    entries = []
    at = 0
    while at < len(bundle):
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or at > len(bundle):
            raise ValueError("the bundle is cut in the middle of an entry")
        entries.append(bundle[start:at])
    if len(entries) > TILE_WIDTH:
        raise ValueError(f"a bundle holds at most {TILE_WIDTH} entries, not {len(entries)}")
    return entries
