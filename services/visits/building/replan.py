"""A day that turns out otherwise: what is done stays done, what was promised stays where it is, and the teams go on
from where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.visits.building.day_builder import Crew, Pin, UnderWay
from services.visits.plans import queries
from services.visits.plans.plan_basis import Basis, Routes, open_basis
from services.visits.plans.schemas import ReplanBody
from services.visits.plans.tables import DayPlanRow, PlanBasisRow
from services.visits.routing.reasons import Reason
from services.visits.visit.domain import OPEN, VisitStatus
from services.visits.visit.restaffing import is_freed
from services.visits.visit.tables import VisitRow
from services.visits.visit.withdrawing import is_withdrawn
from shared.database import Transaction
from shared.law import VisitPurpose

NOT_MADE = (VisitStatus.PLANNED, VisitStatus.CANCELLED, VisitStatus.MISSED)


@dataclass(frozen=True, slots=True)
class SoFar:
    """The plan to be replaced, its visits as they stand, what happened, and what was remembered of plans before that
    one: the times that were `said`, and until when teams are `late`. `by_hand`: cases that a supervisor took off."""

    happened: ReplanBody
    basis: Basis
    routes: Routes
    visits: tuple[VisitRow, ...]
    said: Mapping[UUID, datetime] = field(default_factory=dict)
    late: Mapping[UUID, datetime] = field(default_factory=dict)
    by_hand: frozenset[UUID] = frozenset()

    @property
    def gone(self) -> dict[UUID, Reason]:
        """Cases that are not planned again today, and why: what was taken off by hand stays off, until it is urgent."""
        off = self.by_hand | {visit.case_id for visit in self.visits if _is_cancelled_by_hand(visit)}
        off -= {visit.case_id for visit in self.visits if visit.status in OPEN}
        by_hand = dict.fromkeys(off - set(self.happened.urgent_case_ids), Reason.BY_HAND)
        return by_hand | dict.fromkeys(self.happened.no_show_case_ids, Reason.NO_SHOW)

    @property
    def standing(self) -> list[VisitRow]:
        """Visits that nobody has set out for, and that still make sense today."""
        gone = set(self.happened.no_show_case_ids)
        return [visit for visit in self.visits if visit.status == VisitStatus.PLANNED and visit.case_id not in gone]

    @property
    def promises(self) -> dict[UUID, Pin]:
        """Agreed visits, at the time that was said first: planned anew again and again, they do not drift."""
        gone = self.gone
        return {
            visit.case_id: Pin(visit.team_id, self.said.get(visit.case_id, visit.window_start))
            for visit in (*self._freed, *self.standing)
            if visit.purpose == VisitPurpose.AGREED_REVISIT and visit.case_id not in gone
        }

    @property
    def _freed(self) -> list[VisitRow]:
        """Visits that were cancelled because their collectors are off duty: what was promised is promised still."""
        return [visit for visit in self.visits if visit.status == VisitStatus.CANCELLED and is_freed(visit)]

    @property
    def case_ids(self) -> list[UUID]:
        return [visit.case_id for visit in self.standing]

    def remembered(self, crews: Sequence[Crew]) -> dict[str, Any]:
        """What the new plan must know when it is published, or replanned in its turn."""
        named = {late.team_id for late in self.happened.late} | self.late.keys()
        return {
            "standing": [str(visit.id) for visit in self.standing],
            "promised": {str(case_id): pin.start.isoformat() for case_id, pin in self.promises.items()},
            "late_until": {str(crew.team_id): crew.starts.isoformat() for crew in crews if crew.team_id in named},
        }


def _is_cancelled_by_hand(visit: VisitRow) -> bool:
    """A published plan is not replaced yet: its visits are cancelled by a person, a change of collectors, or an event
    that takes away their reason."""
    return visit.status == VisitStatus.CANCELLED and not is_freed(visit) and not is_withdrawn(visit)


async def read(tx: Transaction, plan: DayPlanRow) -> SoFar | None:
    """What the plan that this one replaces has come to; None where that was never solved."""
    old = await tx.session.get_one(DayPlanRow, plan.replaces)
    row = await tx.session.get(PlanBasisRow, plan.replaces)
    if row is None:
        return None
    visits = await tx.session.scalars(
        select(VisitRow).where(col(VisitRow.plan_id) == plan.replaces).order_by(col(VisitRow.id))
    )
    happened = ReplanBody.model_validate(plan.happened or {})
    said, late = (
        {UUID(name): datetime.fromisoformat(moment) for name, moment in (old.happened or {}).get(what, {}).items()}
        for what in ("promised", "late_until")
    )
    by_hand = frozenset(await queries.taken_off_by_hand(tx, old.id))
    return SoFar(happened, await open_basis(tx, row), row.routes, tuple(visits), said, late, by_hand)


def under_way(so_far: SoFar, crews: Sequence[Crew], now: datetime) -> UnderWay:
    """Crews from where they are, without those who fell ill or are off; pins; and the routes that remain."""
    ill = set(so_far.happened.ill_team_ids)
    going = [_going_on(so_far, crew, now) for crew in crews if crew.team_id not in ill]
    left = tuple(crew for crew in going if crew.starts < crew.ends)
    teams = {crew.team_id for crew in left}
    standing = {str(case_id) for case_id in so_far.case_ids}
    routes = {
        team: [name for name in names if name in standing]
        for team, names in so_far.routes.items()
        if UUID(team) in teams
    }
    return UnderWay(left, so_far.promises, routes)


def _going_on(so_far: SoFar, crew: Crew, now: datetime) -> Crew:
    """A crew after what it has done: it goes on from the last door, later if it is late."""
    done = [visit for visit in so_far.visits if visit.team_id == crew.team_id and visit.status not in NOT_MADE]
    starts, start = max(crew.starts, now), crew.start or _place(so_far.basis, crew.team_id, at_start=True)
    if done:
        last = max(done, key=lambda visit: visit.window_start)
        starts, start = max(now, last.ended_at or last.window_end), _door_position(so_far.basis, last.case_id) or start
    late = sum(late.minutes for late in so_far.happened.late if late.team_id == crew.team_id)
    crew = crew.from_now(max(starts, so_far.late.get(crew.team_id, starts)) + timedelta(minutes=late))
    resting = _rest_of(so_far, crew.team_id)
    if resting is not None and resting[0] <= now:
        crew = replace(crew, starts=max(crew.starts, resting[1]), rest=None)
    return replace(
        crew,
        start=start,
        end=crew.end or _place(so_far.basis, crew.team_id, at_start=False),
        visits_max=max(0, crew.visits_max - len(done)),
    )


def _rest_of(so_far: SoFar, team_id: UUID) -> tuple[datetime, datetime] | None:
    """When the team was told to rest."""
    basis, mine = so_far.basis, {str(team_id): so_far.routes.get(str(team_id), [])}
    for route in basis.routes_of(mine):
        if route.rest is not None:
            return basis.at(route.rest[0]), basis.at(route.rest[1])
    return None


def _place(basis: Basis, team_id: UUID, *, at_start: bool) -> tuple[float, float] | None:
    for team in basis.day.teams:
        if team.id == str(team_id):
            return basis.positions[team.start if at_start else team.end]
    return None


def _door_position(basis: Basis, case_id: UUID) -> tuple[float, float] | None:
    for door in basis.day.doors:
        if door.id == str(case_id):
            return basis.positions[door.place]
    return None
