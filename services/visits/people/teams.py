"""Form teams, change their members from a day on, and say who is on duty and what the law asks about them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import String, cast, select
from sqlmodel import col

from services.visits.people import domain, sealed
from services.visits.people.domain import OffDuty
from services.visits.people.schemas import TeamBody, TeamMembersBody
from services.visits.people.tables import CollectorRow, TeamMembersRow, TeamRow
from services.visits.people.usecases import lock_collectors
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.visits import TeamChanged
from shared.ids import new_id
from shared.law import Certificate, CollectorFacts


async def form_team(tx: Transaction, body: TeamBody, *, actor: Actor) -> TeamRow:
    """Two collectors or more. Raises Invalid for a collector twice, NotFound for one who does not exist, Conflict for
    one who is off duty or on another team."""
    await _check_members(tx, body.collector_ids)
    team = TeamRow(id=new_id(), name=body.name, version=0)
    tx.session.add(team)
    await tx.session.flush()
    _add_members(tx, team.id, domain.FIRST_DAY, body.collector_ids, actor=actor)
    await tx.session.flush()
    await _check_one_team(tx, team.id, body.collector_ids, domain.earliest_day(tx.now))
    return team


async def change_members(tx: Transaction, team_id: UUID, body: TeamMembersBody, *, actor: Actor) -> TeamRow:
    """Other members from a day on; without any the team stands down. The same members again are no change. Raises
    NotFound, Invalid or Conflict."""
    domain.check_from_day(body.from_day, tx.now)
    await _check_members(tx, body.collector_ids)
    await lock_teams(tx, [team_id])
    team = await tx.session.get(TeamRow, team_id, populate_existing=True)
    if team is None:
        raise NotFound("team-not-found", "There is no such team here.")
    before = (await members_on(tx, [team_id], body.from_day)).get(team_id, [])
    if before == body.collector_ids:
        return team
    row = _add_members(tx, team_id, body.from_day, body.collector_ids, actor=actor)
    row.sealed_reason = await sealed.seal_reason(tx, row, body.reason)
    event = TeamChanged(
        team_id=team_id,
        change_id=row.id,
        from_day=body.from_day,
        collector_ids=body.collector_ids,
        earlier_collector_ids=before,
    )
    tx.publish(event, aggregate=team)
    await tx.session.flush()
    await _check_one_team(tx, team_id, body.collector_ids, body.from_day)
    return team


async def _check_one_team(tx: Transaction, team_id: UUID, collector_ids: Sequence[UUID], from_day: date) -> None:
    """Raises Conflict where a new member is on another team on one of these days. The collectors are locked, so that
    no other team takes them meanwhile."""
    team_ids = {team_id, *[each for person in collector_ids for each in await teams_of(tx, person)]}
    versions = await _versions(tx, team_ids)
    domain.check_one_team(domain.first_on_two_teams(versions, collector_ids, from_day))


async def _check_members(tx: Transaction, collector_ids: Sequence[UUID]) -> None:
    if len(set(collector_ids)) != len(collector_ids):
        raise Invalid("collector-twice", "`collector_ids` names a collector twice: name different people.")
    await lock_collectors(tx, collector_ids)
    off = await off_duty(tx, collector_ids, tx.now)
    if off:
        raise Conflict(
            domain.off_duty_code(off),
            f"{domain.off_duty_words(off)} Name another member, or reinstate the collector first.",
            **domain.off_duty_fields(off),
        )


def _add_members(
    tx: Transaction, team_id: UUID, from_day: date, collector_ids: Sequence[UUID], *, actor: Actor
) -> TeamMembersRow:
    row = TeamMembersRow(
        id=new_id(),
        team_id=team_id,
        from_day=from_day,
        collector_ids=list(map(str, collector_ids)),
        made_by=str(actor.ref),
        made_at=tx.now,
    )
    tx.session.add(row)
    return row


async def lock_teams(tx: Transaction, team_ids: Sequence[UUID]) -> None:
    """Lock teams in the order of their ids: who gives them work waits for another who does."""
    await tx.session.execute(
        select(col(TeamRow.id)).where(col(TeamRow.id).in_(team_ids)).order_by(col(TeamRow.id)).with_for_update()
    )


async def members_on(tx: Transaction, team_ids: Collection[UUID], day: date) -> dict[UUID, list[UUID]]:
    """The collectors of teams on a day, the lead first."""
    return domain.members_on(await _versions(tx, team_ids), day)


async def _versions(tx: Transaction, team_ids: Collection[UUID]) -> Sequence[TeamMembersRow]:
    rows = await tx.session.scalars(select(TeamMembersRow).where(col(TeamMembersRow.team_id).in_(team_ids)))
    return rows.all()


async def crews_on(tx: Transaction, team_ids: Collection[UUID], day: date) -> dict[UUID, list[UUID]]:
    """The members of teams on a day who are not off duty now. A team of fewer than two cannot be sent."""
    members = await members_on(tx, team_ids, day)
    off = await off_duty(tx, [each for team in members.values() for each in team], tx.now)
    return {team_id: domain.on_duty(team, off) for team_id, team in members.items()}


async def teams_of(tx: Transaction, collector_id: UUID) -> list[UUID]:
    """The teams that a collector is, was or will be on."""
    names_the_collector = cast(col(TeamMembersRow.collector_ids), String).contains(str(collector_id))
    rows = await tx.session.scalars(select(col(TeamMembersRow.team_id)).where(names_the_collector).distinct())
    return sorted(rows)


async def off_duty(tx: Transaction, collector_ids: Collection[UUID], at: datetime) -> list[OffDuty]:
    """Those of these collectors who were suspended or had left at a time."""
    rows = await _rows(tx, collector_ids)
    found = {each: domain.status_at(row.status, row.statuses, at) for each, row in rows.items()}
    return [OffDuty(each, status) for each, status in sorted(found.items()) if status in domain.OFF_DUTY]


async def collector_facts(tx: Transaction, collector_ids: Sequence[UUID], at: datetime) -> tuple[CollectorFacts, ...]:
    """What the law asks about each of these collectors. The status is that of the time of the act."""
    rows = await _rows(tx, collector_ids)
    return tuple(_facts(rows[each], at) for each in collector_ids)


async def teams_facts(
    tx: Transaction, members: Mapping[UUID, Sequence[UUID]], at: datetime
) -> dict[UUID, tuple[CollectorFacts, ...]]:
    """The same for the members of several teams."""
    rows = await _rows(tx, {each for team in members.values() for each in team})
    return {team_id: tuple(_facts(rows[each], at) for each in team) for team_id, team in members.items()}


async def _rows(tx: Transaction, collector_ids: Collection[UUID]) -> dict[UUID, CollectorRow]:
    """The rows of those that exist. One look-up a transaction: a step asks about the same few people several times."""
    seen: dict[UUID, CollectorRow] = tx.session.info.setdefault("collectors", {})
    if new := set(collector_ids) - seen.keys():
        rows = await tx.session.scalars(select(CollectorRow).where(col(CollectorRow.id).in_(new)))
        seen.update({row.id: row for row in rows})
    return {each: seen[each] for each in collector_ids if each in seen}


def _facts(row: CollectorRow, at: datetime) -> CollectorFacts:
    return CollectorFacts(
        ref=str(row.id),
        cleared=domain.status_at(row.status, row.statuses, at) is domain.CollectorStatus.ACTIVE,
        certificates=tuple(Certificate.model_validate(certificate) for certificate in row.certificates),
        violent_crime_record=row.violent_crime_record,
        bad_credit=row.bad_credit,
        confidentiality_agreement=row.confidentiality_agreement,
        experience=row.experience_recorded,
        last_assessed_on=row.last_assessed_on,
    )
