"""Reads of a lender's terms."""

from services.followup.lenders.schemas import LenderTermsView
from services.followup.lenders.tables import LenderTermsRow
from shared.events.values import Amount


def view(row: LenderTermsRow) -> LenderTermsView:
    terms = row.terms
    return LenderTermsView(
        lender_id=row.lender_id,
        grace_days=terms.grace_days,
        grace_in=terms.grace_in,
        tolerance=terms.tolerance,
        may_lack=Amount.of(terms.may_lack) if terms.may_lack else None,
        on_missed=terms.on_missed,
        version=row.version,
    )
