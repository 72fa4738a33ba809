"""The route of the dossier, the one reply with a debtor's personal data."""

from typing import Annotated, Literal
from uuid import UUID

from services.cases.casefile import queries as casefile
from services.cases.debtors import usecases as debtors
from services.cases.debtors.schemas import AddressView, DossierView, NoticeView
from services.cases.dossiers import usecases
from shared.auth import Actor, Role, allow
from shared.web import Tx, room

router = room("cases", tag="dossiers")
Reader = Annotated[Actor, allow(Role.SUPERVISOR, Role.COLLECTOR, Role.CALLER, Role.SERVICE)]


@router.get("/cases/{case_id}/dossier")
async def read_dossier(
    case_id: UUID, actor: Reader, tx: Tx, reason: Literal["VISIT", "REVIEW", "CALL"] = "REVIEW"
) -> DossierView:
    """The debtor's personal data, for a supervisor, and for a collector with an open visit to the debtor: on its day
    and the evening before, unless the case is on hold; and for a caller, with `reason=CALL`. The reading is recorded
    in the trail."""
    usecases.check_reason(actor, reason)
    await usecases.check_open_to(tx, case_id, actor)
    case = await casefile.case_view(tx, case_id)
    identity, addresses, notices = await debtors.open_identity(tx, case_id)
    debtors.record_reading(tx, [case_id], reason=reason, lender_id=case.lender_id)
    return DossierView(
        case_id=case_id,
        lender_id=case.lender_id,
        name=identity.name,
        national_id=identity.national_id,
        phone=identity.phone,
        language=identity.language,
        addresses=[
            AddressView(
                text=address.text,
                district=address.district,
                latitude=address.latitude,
                longitude=address.longitude,
                verified=row.verified,
                hazard=row.hazard,
            )
            for row, address in addresses
        ],
        notices=[NoticeView(kind=row.kind, channel=row.channel, sent_at=row.sent_at) for row in notices],
        accounts=case.accounts,
        balance=case.balance,
        asked=case.asked,
        asked_because="BOOK_DAY_IN_DOUBT" if case.asked != case.balance else None,
        days_past_due=case.days_past_due,
        bucket=case.bucket,
    )
