"""Register collectors, add certificates, form teams; and the facts about a team that the law asks for."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from services.visits.people.schemas import CertificateBody, CollectorBody, CollectorStatus, TeamBody
from services.visits.people.tables import CollectorRow, TeamMemberRow, TeamRow
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.visits import CollectorStatusChanged
from shared.ids import new_id
from shared.law import Certificate, CollectorFacts
from shared.sealing import Sealer

NAME = "collector-name"


async def register_collector(tx: Transaction, body: CollectorBody, master: Sealer) -> CollectorRow:
    """Register a collector. The name is sealed under a key of the collector's own. Raises Conflict for an id that is
    registered already."""
    if body.id is not None and await tx.session.get(CollectorRow, body.id) is not None:
        raise _exists()
    wrapped, key = master.new_subject_key()
    row = CollectorRow(
        id=body.id or new_id(),
        wrapped_key=wrapped,
        sealed_name=key.seal(body.name.encode(), NAME),
        version=0,
        **body.model_dump(mode="json", exclude={"id", "name", "last_assessed_on"}),
        last_assessed_on=body.last_assessed_on,
    )
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError:  # the same id at the same moment
        raise _exists() from None
    _publish_status(tx, row)
    return row


def _exists() -> Conflict:
    return Conflict("collector-exists", "A collector has this id already: add to that one, or leave `id` out.")


async def add_certificate(tx: Transaction, collector_id: UUID, body: CertificateBody) -> CollectorRow:
    """Raises NotFound, or Invalid for a certificate that ends before it begins."""
    if body.valid_until < body.valid_from:
        raise Invalid("certificate-reversed", "A certificate ends on or after the day on which it begins.")
    row = await tx.session.get(CollectorRow, collector_id, with_for_update=True)
    if row is None:
        raise NotFound("collector-not-found", "There is no such collector here.")
    row.certificates = [*row.certificates, body.model_dump(mode="json")]
    _publish_status(tx, row)
    return row


def _publish_status(tx: Transaction, row: CollectorRow) -> None:
    codes = sorted({certificate["code"] for certificate in row.certificates})
    event = CollectorStatusChanged(collector_id=row.id, status=row.status, certificates=codes)
    tx.publish(event, aggregate=row, key=row.id)


async def form_team(tx: Transaction, body: TeamBody) -> TeamRow:
    """Two collectors or more. Raises Invalid for a collector twice, NotFound for one who does not exist."""
    if len(set(body.collector_ids)) != len(body.collector_ids):
        raise Invalid("collector-twice", "A collector stands in the team twice: name different people.")
    known = await tx.session.scalars(select(col(CollectorRow.id)).where(col(CollectorRow.id).in_(body.collector_ids)))
    if len(known.all()) != len(body.collector_ids):
        raise NotFound("collector-not-found", "One of these collectors does not exist here.")
    team = TeamRow(id=new_id(), name=body.name)
    tx.session.add(team)
    await tx.session.flush()
    for rank, collector_id in enumerate(body.collector_ids):
        tx.session.add(TeamMemberRow(team_id=team.id, rank=rank, collector_id=collector_id))
    return team


async def lock_teams(tx: Transaction, team_ids: Sequence[UUID]) -> None:
    """Whoever gives these teams work waits for the one who holds them, in the order of their ids."""
    await tx.session.execute(
        select(col(TeamRow.id)).where(col(TeamRow.id).in_(team_ids)).order_by(col(TeamRow.id)).with_for_update()
    )


async def members_of(tx: Transaction, team_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The collectors of teams, the lead first."""
    rows = await tx.session.scalars(
        select(TeamMemberRow)
        .where(col(TeamMemberRow.team_id).in_(team_ids))
        .order_by(col(TeamMemberRow.team_id), col(TeamMemberRow.rank))
    )
    members: dict[UUID, list[UUID]] = defaultdict(list)
    for row in rows:
        members[row.team_id].append(row.collector_id)
    return members


async def team_facts(tx: Transaction, team_id: UUID) -> tuple[CollectorFacts, ...]:
    """What the law asks about each collector of a team."""
    ids = (await members_of(tx, [team_id]))[team_id]
    rows = {row.id: row for row in await tx.session.scalars(select(CollectorRow).where(col(CollectorRow.id).in_(ids)))}
    return tuple(_facts(rows[collector_id]) for collector_id in ids)


def _facts(row: CollectorRow) -> CollectorFacts:
    return CollectorFacts(
        ref=str(row.id),
        cleared=row.status == CollectorStatus.ACTIVE,
        certificates=tuple(Certificate.model_validate(certificate) for certificate in row.certificates),
        violent_crime_record=row.violent_crime_record,
        bad_credit=row.bad_credit,
        confidentiality_agreement=row.confidentiality_agreement,
        experience=row.experience_recorded,
        last_assessed_on=row.last_assessed_on,
    )
