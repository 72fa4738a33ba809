"""Who of a visit's collectors may take the next step: those who are not suspended and have not left."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.visits.people import domain as people_domain
from services.visits.people import teams
from services.visits.people.domain import OffDuty
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.errors import Conflict


async def off_duty_of(tx: Transaction, visit: VisitRow, at: datetime) -> list[OffDuty]:
    """The collectors of a visit who were suspended or had left at a time."""
    return await teams.off_duty(tx, visit.team, at)


def crew_at(visit: VisitRow, off: Sequence[OffDuty]) -> list[UUID]:
    """The collectors whose visit it is: those on duty, and those who have checked in; all of them where fewer than two
    are on duty, so that the gate names what is wrong."""
    crew = people_domain.on_duty(visit.team, [each for each in off if str(each.collector_id) not in visit.check_ins])
    return crew if people_domain.can_go(crew) else visit.team


def check_can_go(off: Sequence[OffDuty]) -> None:
    """Raises Conflict where these collectors, off duty, keep the visit from its next step."""
    if off:
        raise Conflict(people_domain.off_duty_code(off), words(off), **people_domain.off_duty_fields(off))


def cannot_go(visit: VisitRow, off: Sequence[OffDuty]) -> bool:
    """Whether too few are left for the visit."""
    return bool(off) and not people_domain.can_go(people_domain.on_duty(visit.team, off))


def words(off: Sequence[OffDuty]) -> str:
    """Why a step of a visit is refused, and what to do."""
    suspended = people_domain.off_duty_code(off) == "collector-suspended"
    lift = "Reinstate the collector, or cancel" if suspended else "Cancel"
    return f"{people_domain.off_duty_words(off)} {lift} the visit and plan its case again with another team."
