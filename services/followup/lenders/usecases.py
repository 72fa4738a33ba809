"""Record and read what a lender counts as late and as paid."""

from services.followup.lenders.domain import GraceIn, LenderTerms
from services.followup.lenders.tables import LenderTermsRow
from services.followup.settings import FollowupSettings
from shared.database import Transaction
from shared.events.followup import LenderTermsRecorded
from shared.events.values import Amount
from shared.ids import new_id
from shared.instalments import OnMissed


async def row_of(tx: Transaction, lender_id: str, *, lock: bool = False) -> LenderTermsRow:
    """What a lender has recorded; an unstored row of version 0 with the house's terms where it has recorded nothing."""
    found = await tx.session.get(LenderTermsRow, lender_id, with_for_update=lock)
    settings = FollowupSettings.of(tx.settings)
    return found or LenderTermsRow(
        lender_id=lender_id,
        id=new_id(),
        grace_days=settings.grace_days,
        grace_in=GraceIn.CALENDAR,
        tolerance=str(settings.tolerance),
        on_missed=OnMissed.END,
        version=0,
    )


async def record(tx: Transaction, row: LenderTermsRow, terms: LenderTerms) -> None:
    """Record the terms of promises that are made from now on. The same again changes nothing."""
    if row.version and row.terms == terms:
        return
    row.grace_days, row.grace_in, row.tolerance = terms.grace_days, terms.grace_in, str(terms.tolerance)
    row.may_lack_minor = terms.may_lack.minor if terms.may_lack else None
    row.may_lack_currency = terms.may_lack.currency if terms.may_lack else None
    row.on_missed = terms.on_missed
    tx.session.add(row)
    event = LenderTermsRecorded(
        lender_id=row.lender_id,
        grace_days=terms.grace_days,
        grace_in=terms.grace_in,
        tolerance=terms.tolerance,
        may_lack=Amount.of(terms.may_lack) if terms.may_lack else None,
        on_missed=terms.on_missed,
    )
    tx.publish(event, aggregate=row)
