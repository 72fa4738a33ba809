"""Register a lender, and store a new version of its profile."""

from sqlalchemy import select
from sqlmodel import col

from services.cases.lenders import domain
from services.cases.lenders.profile import FeedProfile
from services.cases.lenders.tables import FeedProfileRow, LenderRow
from shared.database import Transaction
from shared.errors import Conflict, NotFound


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
