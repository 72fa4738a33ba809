"""Tell the story of a case, and record that it was told."""

import json
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
    tx: Transaction, case_id: UUID, *, after: tuple[str, str, str, int, str] | None, limit: int
) -> tuple[StoryView, tuple[str, str, str, int, str] | None]:
    """A page of the story, and the parts of the next one's cursor. Raises NotFound for a case that no log names."""
    ref = f"case:{case_id}"
    sizes = await sizes_of(tx, Search(case_id=case_id), [(ref,)])
    if not sizes:
        raise NotFound("case-not-found", "No log has an entry about this case.")
    moment, sizes = (None, sizes) if after is None else _resumed(after, sizes)
    zone = await zone_of(tx, ref, sizes)
    lines, last = await lines_of(tx, ref, sizes, zone, after=moment, limit=limit)
    verdict = await verdict_of(tx, [ref], sizes) if moment is None else None
    record_search(tx, form="STORY", sizes=sizes, found=len(lines), criteria={"case_id": case_id})
    story = StoryView(case_id=case_id, time_zone=zone.key, items=lines, next_cursor=None, sizes=sizes, verdict=verdict)
    return story, (last.at, last.recorded_at, last.log, last.index, json.dumps(sizes)) if last else None


def _resumed(parts: tuple[str, str, str, int, str], newest: dict[str, int]) -> tuple[Moment, dict[str, int]]:
    """Where a story goes on, as of which sizes. Raises Invalid where a log is shorter now."""
    at, recorded_at, log, index, packed = parts
    sizes: dict[str, int] = json.loads(packed)
    if log not in sizes or any(size > newest.get(name, 0) for name, size in sizes.items()):
        raise Invalid("cursor", "The logs are shorter than when this story began. Begin again without a cursor.")
    return Moment(at, recorded_at, log, index), sizes
