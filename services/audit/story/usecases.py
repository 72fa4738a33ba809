"""Tell the story of a case, and record that it was told."""

import json
from typing import Any
from uuid import UUID

from services.audit.access.usecases import record_search
from services.audit.search.domain import Search
from services.audit.search.queries import sizes_of
from services.audit.search.verdict import verdict_of
from services.audit.story.queries import Moment, lines_of, zone_of
from services.audit.story.schemas import StoryView
from shared.database import Transaction
from shared.errors import Invalid, NotFound


async def tell_story(
    tx: Transaction, case_id: UUID, *, after: tuple[Any, ...] | None, limit: int
) -> tuple[StoryView, tuple[str, ...] | None]:
    """A page of the story, and the parts of the next one's cursor. Raises NotFound for a case that no log names."""
    ref = f"case:{case_id}"
    sizes = await sizes_of(tx, Search(case_id=case_id), [(ref,)])
    if not sizes:
        raise NotFound("case-not-found", "No log has an entry about such a case.")
    moment, sizes = (None, sizes) if after is None else _resumed(after, sizes)
    zone = await zone_of(tx, ref, sizes)
    lines, last = await lines_of(tx, ref, sizes, zone, after=moment, limit=limit)
    verdict = await verdict_of(tx, [ref], sizes) if moment is None else None
    record_search(tx, form="STORY", sizes=sizes, found=len(lines), criteria={"case_id": case_id})
    story = StoryView(case_id=case_id, time_zone=zone.key, items=lines, next_cursor=None, sizes=sizes, verdict=verdict)
    return story, (last.at, last.recorded_at, last.log, str(last.index), json.dumps(sizes)) if last else None


def _resumed(parts: tuple[Any, ...], newest: dict[str, int]) -> tuple[Moment, dict[str, int]]:
    """Where a story goes on, as of which sizes. Raises Invalid."""
    try:
        at, recorded_at, log, index, packed = parts
        sizes = json.loads(packed)
        if log in sizes and all(type(size) is int and 0 <= size <= newest.get(name, 0) for name, size in sizes.items()):
            return Moment(str(at), str(recorded_at), log, int(index)), sizes
    except (ValueError, TypeError, AttributeError):
        pass
    raise Invalid("cursor", "This cursor is not one of this story's. Begin again without a cursor.")
