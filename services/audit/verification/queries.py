"""Reads of what verifications found."""

import json

from sqlalchemy import select

from services.audit.verification.schemas import VerificationView
from services.audit.verification.tables import VERIFICATION
from shared.database import Transaction
from shared.errors import NotFound


async def last_verification(tx: Transaction) -> VerificationView | None:
    """The newest verification, or None before the first."""
    row = (await tx.session.execute(select(VERIFICATION).order_by(VERIFICATION.c.id.desc()).limit(1))).first()
    if row is None:
        return None
    return VerificationView(started_at=row.started_at, seconds=row.seconds, ok=row.ok, **json.loads(row.found))


async def get_last_verification(tx: Transaction) -> VerificationView:
    """The newest verification. Raises NotFound before the first."""
    found = await last_verification(tx)
    if found is None:
        raise NotFound(
            "not-verified-yet", "The trail is not verified yet. The worker begins soon: ask again in a minute."
        )
    return found
