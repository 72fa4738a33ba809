"""Record contact attempts; a case that nobody can reach, or that refuses, may be referred by them."""

from collections.abc import Sequence

from sqlalchemy import insert

from services.cases.casefile import usecases as casefile
from services.cases.contacts import domain
from services.cases.contacts.schemas import AttemptBody
from services.cases.contacts.tables import ContactAttemptRow
from services.cases.debtors.schemas import Recorded, Refused
from services.cases.referral import usecases as referral
from shared.auth import Actor
from shared.database import Transaction
from shared.ids import new_id


async def record_attempts(tx: Transaction, attempts: Sequence[AttemptBody], *, actor: Actor) -> Recorded:
    """Record a batch in the order given; what cannot be recorded is listed, the rest is kept."""
    cases = await casefile.lock_all(tx, [attempt.case_id for attempt in attempts], seen_by=actor)
    refused, rows, touched = [], [], {}
    for index, attempt in enumerate(attempts):
        case = cases.get(attempt.case_id)
        if case is None:
            refused.append(Refused(index=index, code="case-not-found", message="There is no such case here."))
        elif attempt.at > tx.now:
            refused.append(Refused(index=index, code="in-the-future", message="An attempt cannot lie in the future."))
        else:
            rows.append({"id": new_id(), "recorded_by": str(actor.ref), **attempt.model_dump()})
            case.attempts_without_contact, case.refusals = domain.counts_after(
                case.attempts_without_contact, case.refusals, attempt.result
            )
            touched[case.id] = case
    if rows:
        await tx.session.execute(insert(ContactAttemptRow), rows)
    for case in touched.values():
        referral.refer_if_warranted(tx, case)
    return Recorded(recorded=len(rows), refused=refused)
