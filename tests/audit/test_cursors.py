"""The cursor of a search through as many logs as one search takes fits into an address."""

import random
import string

from services.audit.search.cursors import parts_of, resumed
from services.audit.search.queries import LOGS_MAX, Place
from shared.web.limits import QUERY_BYTES_MAX
from shared.web.paging import PageRequest, _read

KEY = b"k" * 32
OTHER_CRITERIA_BYTES = 1_500
GATEWAY_LINE_BYTES = 16_384


def test_the_longest_cursor_passes_the_doors() -> None:
    chance = random.Random(1)
    names = ("".join(chance.choices(string.ascii_lowercase + string.digits, k=41)) for _ in range(LOGS_MAX))
    sizes = {name: chance.randrange(10**9) for name in names}
    place = Place(min(sizes), 10**9)
    cursor = PageRequest(50, None, KEY).cursor(*parts_of(place, sizes))
    assert len(cursor) + OTHER_CRITERIA_BYTES < QUERY_BYTES_MAX < GATEWAY_LINE_BYTES
    assert resumed(PageRequest(50, _read(cursor, KEY), KEY).after_all(str, int, str), sizes) == (place, sizes)
