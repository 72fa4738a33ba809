"""Register a lender, store a new version of its profile, and what it has recorded about us, its agent."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from services.cases.lenders import domain
from services.cases.lenders.profile import FeedProfile, profile_changes
from services.cases.lenders.schemas import AgencyBody
from services.cases.lenders.tables import FeedProfileRow, LenderAgencyRow, LenderRow
from shared.database import Transaction
from shared.differences import in_words
from shared.errors import Conflict, NotFound
from shared.events.cases import LenderAgencyChanged
from shared.events.envelope import ActorRef
from shared.ids import new_id
from shared.versions.domain import Kind, Upload
from shared.versions.schemas import Differences
from shared.versions.usecases import Versions, digest_of

PROFILES = Versions(FeedProfileRow, Kind("profile", four_eyes=False))


async def register_lender(tx: Transaction, *, lender_id: str, name: str) -> LenderRow:
    """Raises Conflict where the id is taken."""
    if await tx.session.get(LenderRow, lender_id) is not None:
        raise Conflict("lender-exists", "`id` is taken by another lender: choose another id.")
    lender = LenderRow(id=lender_id, name=name, created_at=tx.now)
    tx.session.add(lender)
    return lender


async def lock_lender(tx: Transaction, lender_id: str) -> LenderRow:
    """Raises NotFound."""
    lender: LenderRow | None = await tx.session.get(LenderRow, lender_id, with_for_update=True)
    if lender is None:
        raise _not_found()
    return lender


async def check_lender(tx: Transaction, lender_id: str) -> None:
    """Raises NotFound."""
    if await tx.session.get(LenderRow, lender_id) is None:
        raise _not_found()


def _not_found() -> NotFound:
    return NotFound("lender-not-found", "There is no such lender here.")


async def store_profile(
    tx: Transaction, lender_id: str, profile: FeedProfile, *, actor: ActorRef, dry_run: bool = False
) -> tuple[FeedProfileRow, Differences]:
    """Store a profile as the lender's newest version, in force at once. Returns it with what it changes. The same
    document again stays the same version. A dry run stores nothing. Raises Invalid for a profile that contradicts
    itself, or that proves a notice which was not sent yet."""
    domain.check_defaults(profile)
    if profile.notice is not None:
        domain.check_notice(profile.notice.sent_at, profile.notice.proof_digest, tx.now)
    newest = await PROFILES.newest(tx, lender_id)
    changes = profile_changes(FeedProfile.model_validate_json(newest.content) if newest else None, profile)
    content = profile.model_dump_json()
    store = PROFILES.draft if dry_run else PROFILES.upload
    row = await store(tx, Upload(lender_id, content, digest_of(content), changes), actor=actor)
    return row, Differences.model_validate(in_words(changes))


async def newest_version(tx: Transaction, lender_id: str) -> int:
    """The number of a lender's newest profile; 0 for none."""
    newest = await PROFILES.newest(tx, lender_id)
    return newest.number if newest else 0


async def profile_of(tx: Transaction, lender_id: str, version: int | None = None) -> tuple[int, FeedProfile]:
    """A lender's profile, the newest by default. Raises NotFound, Conflict where it has none yet."""
    await check_lender(tx, lender_id)
    row = await (PROFILES.find(tx, lender_id, str(version)) if version else PROFILES.newest(tx, lender_id))
    if row is None:
        raise Conflict(
            "profile-missing",
            f"This lender has no feed profile: set it first with PUT /cases/v1/lenders/{lender_id}/profile.",
        )
    return row.number, FeedProfile.model_validate_json(row.content)


async def profile_used(tx: Transaction, lender_id: str, version: int, placement_id: UUID) -> None:
    """A file was received that is read by this version: keep which was the first."""
    await tx.session.execute(
        update(FeedProfileRow)
        .where(
            col(FeedProfileRow.document) == lender_id,
            col(FeedProfileRow.number) == version,
            col(FeedProfileRow.first_used_at).is_(None),
        )
        .values(first_used_at=tx.now, first_placement_id=placement_id)
    )


async def agency_of(tx: Transaction, lender_id: str) -> LenderAgencyRow:
    """What a lender has recorded about us; an unstored row of version 0 where it has recorded nothing. Raises
    NotFound."""
    await check_lender(tx, lender_id)
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
    tx.publish(event, aggregate=row)


async def agencies_of(tx: Transaction, lender_ids: Collection[str]) -> dict[str, LenderAgencyRow]:
    """What these lenders have recorded about us; those that have not are left out."""
    rows = await tx.session.scalars(select(LenderAgencyRow).where(col(LenderAgencyRow.lender_id).in_(lender_ids)))
    return {row.lender_id: row for row in rows}
