"""The route of a case's story, for compliance staff."""

from typing import Annotated
from uuid import UUID

from services.audit.story import usecases
from services.audit.story.schemas import StoryView
from shared.auth import Actor, Role, allow
from shared.web import Paging, Tx, room

router = room("audit", tag="story")
Officer = Annotated[Actor, allow(Role.COMPLIANCE, Role.ADMIN)]


@router.get("/cases/{case_id}/story")
async def tell_story(case_id: UUID, _actor: Officer, tx: Tx, page: Paging) -> StoryView:
    """What was done to this person, by whom, under which rule, in order, in plain words; each line names its entry."""
    story, more = await usecases.tell_story(
        tx, case_id, after=page.after_all(str, str, str, int, str), limit=page.limit
    )
    return story.model_copy(update={"next_cursor": page.cursor(*more) if more else None})
