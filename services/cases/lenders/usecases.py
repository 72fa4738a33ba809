"""Register a lender, store a new version of its profile, and what it has recorded about us, its agent."""

from collections.abc import Collection

from sqlalchemy import select
from sqlmodel import col

from services.cases.lenders import domain
from services.cases.lenders.profile import FeedProfile
from services.cases.lenders.schemas import AgencyBody
from services.cases.lenders.tables import FeedProfileRow, LenderAgencyRow, LenderRow
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events.cases import LenderAgencyChanged
from shared.ids import new_id


async def register_lender(tx: Transaction, *, lender_id: str, name: str) -> LenderRow:
    """Raises Conflict where the id is taken."""
    if await tx.session.get(LenderRow, lender_id) is not None:
        raise Conflict("lender-exists", "A lender has this id already. Choose another.")
    lender = LenderRow(id=lender_id, name=name, created_at=tx.now)
    tx.session.add(lender)
    return lender


async def lock_lender(tx: Transaction, lender_id: str) -> LenderRow:
    """Raises NotFound."""
    lender = await tx.session.scalar(select(LenderRow).where(col(LenderRow.id) == lender_id).with_for_update())
    if lender is None:
        raise NotFound("lender-not-found", "There is no such lender here.")
    return lender


async def store_profile(tx: Transaction, lender: LenderRow, profile: FeedProfile) -> int:
    """Store a profile as the lender's newest version; the same document again stays the same version. Raises Invalid
    for one that contradicts itself, or that proves what is not done yet."""
    domain.check_defaults(profile)
    if profile.notice is not None:
        domain.check_notice(profile.notice.sent_at, profile.notice.proof_digest, tx.now)
    newest = await tx.session.get(FeedProfileRow, (lender.id, lender.profile_version))
    if newest is None or FeedProfile.model_validate(newest.document) != profile:
        lender.profile_version += 1
        document = profile.model_dump(mode="json")
        row = FeedProfileRow(lender_id=lender.id, version=lender.profile_version, document=document, created_at=tx.now)
        tx.session.add(row)
    return lender.profile_version


async def profile_of(tx: Transaction, lender_id: str, version: int | None = None) -> tuple[int, FeedProfile]:
    """A lender's profile, the newest by default. Raises Conflict where it has none yet."""
    lender = await tx.session.get(LenderRow, lender_id)
    if lender is None:
        raise NotFound("lender-not-found", "There is no such lender here.")
    number = version or lender.profile_version
    row = await tx.session.get(FeedProfileRow, (lender_id, number))
    if row is None:
        raise Conflict(
            "profile-missing", f"First tell us how to read the files: PUT /cases/v1/lenders/{lender_id}/profile"
        )
    return number, FeedProfile.model_validate(row.document)


async def agency_of(tx: Transaction, lender_id: str) -> LenderAgencyRow:
    """What a lender has recorded about us; an unstored row of version 0 where it has recorded nothing. Raises
    NotFound."""
    if await tx.session.get(LenderRow, lender_id) is None:
        raise NotFound("lender-not-found", "There is no such lender here.")
    found = await tx.session.get(LenderAgencyRow, lender_id)
    return found or LenderAgencyRow(lender_id=lender_id, id=new_id(), version=0)


async def record_agency(tx: Transaction, row: LenderAgencyRow, body: AgencyBody) -> None:
    """Record what holds from now on. The same again changes nothing. The caller has locked the lender. Raises Invalid
    for a review in the future."""
    domain.check_review(body.reviewed_on, tx.now)
    said = (body.changed_at, body.reviewed_on, body.listed)
    if row.version and said == (row.changed_at, row.reviewed_on, row.listed):
        return
    row.changed_at, row.reviewed_on, row.listed = said
    tx.session.add(row)
    event = LenderAgencyChanged(lender_id=row.lender_id, **body.model_dump())
    tx.publish(event, aggregate=row, key=row.id, lender_id=row.lender_id)


async def agencies_of(tx: Transaction, lender_ids: Collection[str]) -> dict[str, LenderAgencyRow]:
    """What these lenders have recorded about us; those that have not are left out."""
    rows = await tx.session.scalars(select(LenderAgencyRow).where(col(LenderAgencyRow.lender_id).in_(lender_ids)))
    return {row.lender_id: row for row in rows}
