"""Reads of the versions of feed profiles."""

from datetime import date

from services.cases.lenders.profile import FeedProfile
from services.cases.lenders.schemas import ProfileVersionDetail, ProfileVersionView
from services.cases.lenders.tables import FeedProfileRow
from services.cases.lenders.usecases import PROFILES, check_lender
from shared.database import Transaction
from shared.versions.schemas import Differences
from shared.versions.usecases import shown


async def list_versions(
    tx: Transaction, lender_id: str, *, day: date | None, after: int | None, limit: int
) -> list[ProfileVersionView]:
    """The versions of a lender's profile, in their order. Raises NotFound."""
    await check_lender(tx, lender_id)
    rows = await PROFILES.page(tx, lender_id, after=after, limit=limit)
    on = day or tx.now.date()
    in_force = await PROFILES.in_force(tx, lender_id, on)
    return [_view(row, on, in_force.number if in_force else None) for row in rows]


def _view(row: FeedProfileRow, day: date, in_force: int | None) -> ProfileVersionView:
    return ProfileVersionView(
        version=row.number,
        first_used_at=row.first_used_at,
        first_placement_id=row.first_placement_id,
        **shown(row, day=day, is_in_force=row.number == in_force),
    )


async def get_version(tx: Transaction, lender_id: str, version: int, *, day: date | None) -> ProfileVersionDetail:
    """Raises NotFound."""
    await check_lender(tx, lender_id)
    row = await PROFILES.get(tx, lender_id, str(version))
    on = day or tx.now.date()
    in_force = await PROFILES.in_force(tx, lender_id, on)
    return ProfileVersionDetail(
        **_view(row, on, in_force.number if in_force else None).model_dump(),
        profile=FeedProfile.model_validate_json(row.content),
        differences=Differences.model_validate(row.differences),
    )
