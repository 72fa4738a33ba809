"""Cursors of a search: bound to its criteria, to the place behind the last entry, and to the sizes of the logs that are
still to be looked through. A cursor of another search, or of sizes that no log has, is refused."""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from services.audit.search.domain import Search
from services.audit.search.queries import Place, Sizes
from shared.errors import Invalid

SIZES_BYTES_MAX = 100_000


def parts_of(search: Search, place: Place, sizes: Sizes) -> tuple[str, str, int, str]:
    """What the cursor for the next page holds."""
    left = {log: size for log, size in sizes.items() if log >= place.log}
    packed = urlsafe_b64encode(zlib.compress(json.dumps(left).encode(), 9)).decode()
    return search.digest(), place.log, place.after, packed


def resumed(search: Search, parts: tuple[Any, ...], newest: Sizes) -> tuple[Place, Sizes]:
    """Where a search goes on, as of which sizes; `newest` are the sizes now. Raises Invalid."""
    try:
        digest, log, after, packed = parts
        sizes = json.loads(zlib.decompressobj().decompress(urlsafe_b64decode(packed), SIZES_BYTES_MAX))
        sound = digest == search.digest() and log in sizes and type(after) is int and 0 <= after <= 2**53
        if sound and all(type(size) is int and 0 <= size <= newest.get(name, 0) for name, size in sizes.items()):
            return Place(log, after), sizes
    except (ValueError, TypeError, AttributeError, zlib.error):
        pass
    raise Invalid("cursor", "This cursor is not one of this search's. Begin again without a cursor.")
