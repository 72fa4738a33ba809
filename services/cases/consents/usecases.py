"""Record consents, their withdrawal, and what debtors prefer; each is said to the services that judge by it."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.consents import domain
from services.cases.consents.schemas import ConsentBody, PreferenceBody, QuietPeriodBody
from services.cases.consents.tables import ConsentRow, PreferenceRow, QuietPeriodRow
from services.cases.debtors import usecases as debtors
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import ConsentRecorded, ConsentWithdrawn, ContactPreferenceRecorded, QuietPeriodRecorded
from shared.events.values import AgreedWindow
from shared.ids import new_id


async def record_consent(tx: Transaction, case_id: UUID, body: ConsentBody, *, actor: Actor) -> ConsentRow:
    """Raises NotFound, Forbidden for a caller and a consent that came otherwise than by phone, or Invalid for times
    that contradict each other."""
    domain.check_means(body.channel, by_phone_only=actor.by_phone_only)
    case = await casefile.lock(tx, case_id)
    domain.check_times(body.given_at, body.valid_until, tx.now)
    row = ConsentRow(id=new_id(), case_id=case_id, recorded_by=str(actor.ref), recorded_at=tx.now, **body.model_dump())
    tx.session.add(row)
    event = ConsentRecorded(case_id=case_id, consent_id=row.id, **body.model_dump())
    tx.publish(event, aggregate=case)
    return row


async def withdraw_consent(tx: Transaction, consent_id: UUID, at: datetime | None, *, actor: Actor) -> ConsentRow:
    """Take a consent back, at any time. Raises NotFound, or Conflict where that was done."""
    found = await tx.session.get(ConsentRow, consent_id)
    if found is None:
        raise NotFound("consent-not-found", "There is no such consent here.")
    case = await casefile.lock(tx, found.case_id)
    if not await debtors.recordable_by(tx, [case.id], actor):
        raise NotFound("consent-not-found", "There is no such consent here.")
    await tx.session.refresh(found)
    domain.check_withdrawal(found.given_at, found.withdrawn_at, at or tx.now, tx.now)
    found.withdrawn_at, found.withdrawn_by = at or tx.now, str(actor.ref)
    event = ConsentWithdrawn(case_id=case.id, consent_id=found.id, scope=found.scope, withdrawn_at=found.withdrawn_at)
    tx.publish(event, aggregate=case)
    return found


async def lock_preference(tx: Transaction, case_id: UUID, *, actor: Actor) -> PreferenceRow:
    """The preference of a case, locked with it; a new, empty one where nothing was said yet. Raises NotFound."""
    await casefile.lock(tx, case_id)
    row = await tx.session.get(PreferenceRow, case_id, populate_existing=True)
    if row is None:
        row = PreferenceRow(
            case_id=case_id,
            id=new_id(),
            channels=[],
            windows=[],
            inconvenient_places=[],
            recorded_by=str(actor.ref),
            recorded_at=tx.now,
            version=0,
        )
    return row


async def record_preference(tx: Transaction, row: PreferenceRow, body: PreferenceBody, *, actor: Actor) -> None:
    """Write down what the debtor prefers from now on."""
    case = await casefile.lock(tx, row.case_id)
    said = body.model_dump(mode="json")
    row.id, row.version = new_id(), row.version + 1
    row.channels, row.windows, row.inconvenient_places = said["channels"], said["windows"], said["inconvenient_places"]
    row.employer_forbids = body.employer_forbids
    row.recorded_by, row.recorded_at = str(actor.ref), tx.now
    tx.session.add(row)
    event = ContactPreferenceRecorded(
        case_id=case.id,
        preference_id=row.id,
        channels=row.channels,
        windows=[AgreedWindow(**window.model_dump()) for window in body.windows],
        inconvenient_places=row.inconvenient_places,
        employer_forbids=row.employer_forbids,
    )
    tx.publish(event, aggregate=case)


async def record_quiet_period(tx: Transaction, case_id: UUID, body: QuietPeriodBody, *, actor: Actor) -> QuietPeriodRow:
    """Record days on which nobody asks the debtor to pay. Raises NotFound."""
    case = await casefile.lock(tx, case_id)
    row = QuietPeriodRow(
        id=new_id(), case_id=case_id, recorded_by=str(actor.ref), recorded_at=tx.now, **body.model_dump()
    )
    tx.session.add(row)
    event = QuietPeriodRecorded(case_id=case_id, period_id=row.id, **body.model_dump())
    tx.publish(event, aggregate=case)
    return row


async def quiet_periods_of(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, list[QuietPeriodRow]]:
    statement = select(QuietPeriodRow).where(col(QuietPeriodRow.case_id).in_(case_ids)).order_by(col(QuietPeriodRow.id))
    found: dict[UUID, list[QuietPeriodRow]] = defaultdict(list)
    for row in await tx.session.scalars(statement):
        found[row.case_id].append(row)
    return found


async def consents_of(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, list[ConsentRow]]:
    """Every consent of these cases, withdrawn ones included, in the order in which they were recorded."""
    statement = select(ConsentRow).where(col(ConsentRow.case_id).in_(case_ids)).order_by(col(ConsentRow.id))
    found: dict[UUID, list[ConsentRow]] = defaultdict(list)
    for row in await tx.session.scalars(statement):
        found[row.case_id].append(row)
    return found


async def preferences_of(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, PreferenceRow]:
    rows = await tx.session.scalars(select(PreferenceRow).where(col(PreferenceRow.case_id).in_(case_ids)))
    return {row.case_id: row for row in rows}
