"""Reads of day plans: figures, routes with their times and prizes, what was left out and why, and what was changed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, true
from sqlmodel import col

from services.visits.base import STREAMS
from services.visits.caseload.tables import CaseloadRow
from services.visits.gate import queries as gate
from services.visits.plans.domain import Changes, PlanStatus, stream_of
from services.visits.plans.plan_basis import Basis, Routes
from services.visits.plans.schemas import (
    ChangesView,
    DayPlanView,
    LeftOutCount,
    LeftOutView,
    PrizeView,
    RevisionView,
    RouteView,
    StopView,
)
from services.visits.plans.tables import DayPlanRow, LeftOutRow, PlanRevisionRow
from services.visits.routing.day import Door, Route
from services.visits.routing.reasons import LeftOut, Reason
from services.visits.visit import domain as visits
from services.visits.visit.marks import held_cases
from services.visits.visit.tables import VisitRow
from shared.database import Transaction
from shared.errors import NotFound
from shared.law import VisitPurpose
from shared.listing import page_of
from shared.streams import PAGE_ITEMS_MAX, Batch, Item


def view(row: DayPlanRow) -> DayPlanView:
    same = {"id", "day", "status", "asked_at", "revision", "replaces", "visits", "teams", "cost", "travel_source"}
    same |= {"basis_deleted_at"}
    left_out = [LeftOutCount(reason=reason, count=count) for reason, count in row.left_out.items()]
    return DayPlanView(
        **row.model_dump(include=same),
        kilometres=round(row.metres / 1000, 1),
        left_out=left_out,
        changes=changes_view(Changes.from_json(row.changes)) if row.changes else None,
        problem=row.problem,
    )


def changes_view(changes: Changes) -> ChangesView:
    return ChangesView.model_validate({**changes.to_json(), "en": changes.words("en"), "zh": changes.words("zh")})


async def get_row(tx: Transaction, plan_id: UUID) -> DayPlanRow:
    """Raises NotFound."""
    row = await tx.session.get(DayPlanRow, plan_id)
    if row is None:
        raise NotFound("plan-not-found", "There is no such plan here.")
    return row


async def list_plans(
    tx: Transaction, *, day: date | None, status: PlanStatus | None, after: UUID | None, limit: int
) -> list[DayPlanView]:
    """Plans in the order in which they were asked for."""
    statement = select(DayPlanRow)
    if day is not None:
        statement = statement.where(col(DayPlanRow.day) == day)
    if status is not None:
        statement = statement.where(col(DayPlanRow.status) == status)
    statement = page_of(statement, col(DayPlanRow.id), after=after, limit=limit)
    return [view(row) for row in await tx.session.scalars(statement)]


async def wanted_cases(
    tx: Transaction, day: date, *, only: Collection[UUID], again: Collection[UUID], without: Collection[UUID]
) -> list[CaseloadRow]:
    """Open cases that want a visit by `day` and have no open visit. `only`: only these, if it names some. `again`: also
    these, which the replaced plan holds. `without`: never these."""
    named = or_(col(CaseloadRow.id).in_(only), col(CaseloadRow.id).in_(again)) if only else true()
    rows = await tx.session.scalars(
        select(CaseloadRow)
        .where(*_wanted(day, again), named, col(CaseloadRow.id).not_in(without))
        .order_by(col(CaseloadRow.id))
    )
    return list(rows)


async def are_more_wanted(tx: Transaction, day: date, than: int) -> bool:
    """Whether more cases are wanted by that day; it looks at no more of them than it must."""
    found = select(col(CaseloadRow.id)).where(*_wanted(day)).offset(than).limit(1)
    return await tx.session.scalar(found) is not None


async def with_open_visit(tx: Transaction, day: date, *, only: Collection[UUID]) -> dict[UUID, Reason]:
    """Cases that are wanted by that day and that an open visit holds, those of `only` alone where it names some, with
    what the visit is: under way, or on another plan."""
    rows = await tx.session.execute(
        select(col(VisitRow.case_id), col(VisitRow.status))
        .join(CaseloadRow, col(CaseloadRow.id) == col(VisitRow.case_id))
        .where(
            *_wanted_by(day),
            col(VisitRow.status).in_(visits.OPEN),
            col(CaseloadRow.id).in_(only) if only else true(),
        )
        .order_by(col(VisitRow.id))
    )
    return {
        case_id: Reason.UNDER_WAY if status in visits.UNDER_WAY else Reason.OTHER_PLAN for case_id, status in rows.all()
    }


async def why_not_wanted(tx: Transaction, case_ids: Collection[UUID], day: date) -> dict[UUID, Reason]:
    """Why no visit of these cases is wanted by that day."""
    later = await tx.session.scalars(
        select(col(CaseloadRow.id)).where(
            col(CaseloadRow.id).in_(case_ids), *_open_and_wanted(), col(CaseloadRow.not_before) > day
        )
    )
    return dict.fromkeys(case_ids, Reason.NOT_WANTED) | dict.fromkeys(later, Reason.NOT_YET)


async def taken_off_by_hand(tx: Transaction, plan_id: UUID) -> set[UUID]:
    """The cases that a supervisor took off a plan."""
    rows = await tx.session.scalars(
        select(col(LeftOutRow.case_id)).where(
            col(LeftOutRow.plan_id) == plan_id, col(LeftOutRow.reason) == Reason.BY_HAND
        )
    )
    return set(rows)


async def open_visits_of(tx: Transaction, plan_id: UUID, team_id: UUID) -> dict[UUID, VisitRow]:
    """A team's visits of a plan that are neither done nor given up, by case."""
    rows = await tx.session.scalars(
        select(VisitRow).where(
            col(VisitRow.plan_id) == plan_id, col(VisitRow.team_id) == team_id, col(VisitRow.status).in_(visits.OPEN)
        )
    )
    return {row.case_id: row for row in rows}


def _wanted(day: date, again: Collection[UUID] = ()) -> tuple[ColumnElement[bool], ...]:
    busy = select(col(VisitRow.case_id)).where(col(VisitRow.status).in_(visits.OPEN))
    return (*_wanted_by(day), or_(col(CaseloadRow.id).not_in(busy), col(CaseloadRow.id).in_(again)))


def _wanted_by(day: date) -> tuple[ColumnElement[bool], ...]:
    return (*_open_and_wanted(), or_(col(CaseloadRow.not_before).is_(None), col(CaseloadRow.not_before) <= day))


def _open_and_wanted() -> tuple[ColumnElement[bool], ...]:
    return (col(CaseloadRow.wanted).is_(True), col(CaseloadRow.opened).is_(True), col(CaseloadRow.balance_minor) > 0)


async def held_on(tx: Transaction, plan_id: UUID, routes: Routes) -> dict[UUID, list[str]]:
    """The cases on these routes of which a hold stops the visit now, with the reasons; not of visits that have begun or
    are over."""
    case_ids = [UUID(name) for names in routes.values() for name in names]
    rows = await tx.session.scalars(
        select(VisitRow)
        .where(col(VisitRow.plan_id) == plan_id, col(VisitRow.case_id).in_(case_ids))
        .order_by(col(VisitRow.id))
    )
    made = {row.case_id: row for row in rows}
    waiting = [case_id for case_id in case_ids if case_id not in made or made[case_id].status in visits.NOT_STARTED]
    purposes = {case_id: VisitPurpose(made[case_id].purpose) if case_id in made else None for case_id in waiting}
    return await held_cases(tx, purposes)


def list_routes(
    basis: Basis,
    routes: Routes,
    held: Mapping[UUID, list[str]],
    *,
    after: UUID | None = None,
    limit: int | None = None,
) -> list[RouteView]:
    """The routes with times, windows, prizes and holds, in the order of the plan's teams, behind the team `after`."""
    doors = {door.id: door for door in basis.day.doors}
    place = {team.id: number for number, team in enumerate(basis.day.teams)}
    behind = -1 if after is None else place.get(str(after), -1)
    found = [route for route in basis.routes_of(routes) if place[route.team] > behind]
    return [_route_view(basis, route, doors, held) for route in found[:limit]]


def _route_view(basis: Basis, route: Route, doors: dict[str, Door], held: Mapping[UUID, list[str]]) -> RouteView:
    return RouteView(
        team_id=UUID(route.team),
        leaves=basis.at(route.leaves),
        back=basis.at(route.back),
        rest=(basis.at(route.rest[0]), basis.at(route.rest[1])) if route.rest else None,
        travel_seconds=route.travel,
        stops=[
            StopView(
                case_id=UUID(stop.door),
                position=position,
                arrival=basis.at(stop.arrival),
                start=basis.at(stop.start),
                end=basis.at(stop.end),
                windows=[
                    (basis.at(opens), basis.at(closes + doors[stop.door].seconds))
                    for opens, closes in doors[stop.door].windows
                ],
                prize=PrizeView.model_validate(basis.prizes[stop.door]),
                held=UUID(stop.door) in held,
                held_by=held.get(UUID(stop.door), []),
            )
            for position, stop in enumerate(route.stops)
        ],
    )


async def list_left_out(tx: Transaction, plan_id: UUID, *, after: UUID | None, limit: int) -> list[LeftOutView]:
    statement = select(LeftOutRow).where(col(LeftOutRow.plan_id) == plan_id)
    statement = page_of(statement, col(LeftOutRow.case_id), after=after, limit=limit)
    rows = (await tx.session.scalars(statement)).all()
    decided = await gate.deciding(tx, [row.decision_id for row in rows if row.decision_id])
    return [_left_out_view(row, decided[row.decision_id] if row.decision_id else ()) for row in rows]


def _left_out_view(row: LeftOutRow, deciding: Sequence[Mapping[str, Any]]) -> LeftOutView:
    """In words: the reason, and what the rule said that forbade it."""
    why = LeftOut(str(row.case_id), Reason(row.reason), row.prize_seconds, row.detour_seconds)
    said = {
        language: " ".join([why.sentence(language), *(each["reason"][language] for each in deciding)])
        for language in ("en", "zh")
    }
    return LeftOutView(**row.model_dump(exclude={"plan_id"}), **said)


async def list_revisions(tx: Transaction, plan_id: UUID, *, after: int | None, limit: int) -> list[RevisionView]:
    """Changes of a plan, the oldest first."""
    statement = select(PlanRevisionRow).where(col(PlanRevisionRow.plan_id) == plan_id)
    statement = page_of(statement, col(PlanRevisionRow.revision), after=after, limit=limit)
    rows = await tx.session.scalars(statement)
    return [
        RevisionView(
            **row.model_dump(include={"revision", "what", "made_at", "made_by"}),
            changes=changes_view(Changes.from_json(row.changes)),
        )
        for row in rows
    ]


async def start_of_progress(tx: Transaction, plan_id: UUID) -> int:
    """The position before the oldest step of the solving that is kept. Raises NotFound."""
    await get_row(tx, plan_id)
    return await STREAMS.oldest(tx, stream_of(plan_id))


async def progress(plan_id: UUID, tx: Transaction, position: int) -> Batch:
    """Steps of the solving after a position; behind the last one the plan that came of it. Raises NotFound and what
    the stream raises."""
    row, stream = await get_row(tx, plan_id), stream_of(plan_id)
    complete = row.status != PlanStatus.DRAFT and not await STREAMS.is_waiting(tx, stream)
    batch = await STREAMS.after(tx, stream, position)
    if not complete or len(batch.items) == PAGE_ITEMS_MAX:
        return batch
    reached = batch.items[-1].position if batch.items else position
    return Batch([*batch.items, Item(reached, "done", view(row))], ended=True)
