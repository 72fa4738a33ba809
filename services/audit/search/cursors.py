"""What a cursor of a search holds: the place behind the last entry, and the sizes of the logs that remain to be read.
The web layer signs it and binds it to the criteria; sizes that no log has any more are refused here."""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from services.audit.search.queries import Place, Sizes
from shared.errors import Invalid

SIZES_BYTES_MAX = 100_000


def parts_of(place: Place, sizes: Sizes) -> tuple[str, int, str]:
    """What the cursor for the next page holds."""
    left = {log: size for log, size in sizes.items() if log >= place.log}
    packed = urlsafe_b64encode(zlib.compress(json.dumps(left).encode(), 9)).decode()
    return place.log, place.after, packed


def resumed(parts: tuple[str, int, str], newest: Sizes) -> tuple[Place, Sizes]:
    """Where a search goes on, as of which sizes; `newest` are the sizes now. Raises Invalid."""
    log, after, packed = parts
    sizes: Sizes = json.loads(zlib.decompressobj().decompress(urlsafe_b64decode(packed), SIZES_BYTES_MAX))
    if log not in sizes or any(size > newest.get(name, 0) for name, size in sizes.items()):
        raise Invalid("cursor", "The logs are shorter than when this search began. Begin again without a cursor.")
    return Place(log, after), sizes
