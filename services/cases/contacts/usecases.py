"""Record contact attempts, and say of those to come whether the law allows them. What happened is recorded as it
happened: an attempt that was forbidden is kept, and flagged."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.contacts import domain
from services.cases.contacts.call_facts import Background, background_of
from services.cases.contacts.domain import Attempt, Contact
from services.cases.contacts.schemas import (
    AttemptBody,
    AttemptsRecorded,
    ContactBody,
    ContactCheckView,
    Flagged,
)
from services.cases.contacts.tables import ContactAttemptRow
from services.cases.debtors import usecases as debtors
from services.cases.debtors.schemas import Refused
from services.cases.dossiers import usecases as dossiers
from services.cases.referral import usecases as referral
from shared.auth import Actor
from shared.database import Transaction
from shared.errors import NotFound
from shared.ids import new_id
from shared.law import PlaceType, Verdict

_NOT_BY_PHONE = "`channel` must be CALL or SMS: a caller records what was tried by phone. Ask the desk."


@dataclass(frozen=True, slots=True)
class _Known:
    """An attempt of a batch whose case is known."""

    index: int
    body: AttemptBody
    case: CaseRow


async def record_attempts(tx: Transaction, attempts: Sequence[AttemptBody], *, actor: Actor) -> AttemptsRecorded:
    """Record a batch in the order given; what cannot be recorded is listed, the rest is kept."""
    locked = await casefile.lock_all(tx, [attempt.case_id for attempt in attempts])
    cases = {case_id: locked[case_id] for case_id in await debtors.recordable_by(tx, locked, actor)}
    refused, known = [], []
    for index, attempt in enumerate(attempts):
        case = cases.get(attempt.case_id)
        if case is None:
            refused.append(Refused(index=index, code="case-not-found", message="There is no such case here."))
        elif attempt.at > tx.now:
            refused.append(Refused(index=index, code="in-the-future", message="An attempt cannot lie in the future."))
        elif actor.by_phone_only and attempt.channel not in domain.BY_PHONE:
            refused.append(Refused(index=index, code="not-by-phone", message=_NOT_BY_PHONE))
        else:
            known.append(_Known(index, attempt, case))
    if not known:
        return AttemptsRecorded(recorded=0, refused=refused, flagged=[])
    background = await background_of(tx, cases, since=min(each.body.at for each in known))
    forbidden = await asyncio.to_thread(_forbidden, background, known)
    await tx.session.execute(insert(ContactAttemptRow), [_row(each, forbidden, actor) for each in known])
    for each in known:
        case = each.case
        failed, refusals = domain.counts_after(case.attempts_without_contact, case.refusals, each.body.result)
        casefile.count_attempts(case, without_contact=failed, refusals=refusals)
        if each.body.result.is_right_party:
            casefile.note_contact(tx, case, each.body.at)
    for case in {each.case.id: each.case for each in known}.values():
        referral.refer_if_warranted(tx, case)
    flagged = [Flagged(index=index, rules=rules) for index, rules in forbidden.items()]
    return AttemptsRecorded(recorded=len(known), refused=refused, flagged=flagged)


def _forbidden(background: Background, known: Sequence[_Known]) -> dict[int, list[str]]:
    """The rules that forbade attempts, by their place in the batch. Each attempt is judged by those before it."""
    found = {}
    for each in known:
        body = each.body
        decision = background.judge(each.case, _contact(body, body.at))
        if decision.verdict is Verdict.BLOCK:
            found[each.index] = [finding.rule_id for finding in decision.deciding]
        attempt = Attempt(body.channel, body.result, body.at, body.contact_point, body.person)
        background.attempts[each.case.id].append(attempt)
    return found


def _row(each: _Known, forbidden: dict[int, list[str]], actor: Actor) -> dict[str, Any]:
    rules = forbidden.get(each.index, [])
    told = each.body.model_dump()
    return {
        "id": new_id(),
        "lender_id": each.case.lender_id,
        "recorded_by": str(actor.ref),
        "flagged": rules,
        "is_flagged": bool(rules),
        **told,
    }


def _contact(body: AttemptBody | ContactBody, at: datetime) -> Contact:
    discloses = isinstance(body, ContactBody) and body.discloses
    return Contact(body.channel, at, body.contact_point, body.person, body.place or PlaceType.OTHER, discloses)


async def check_contacts(tx: Transaction, contacts: Sequence[ContactBody], *, actor: Actor) -> list[ContactCheckView]:
    """The gate's decision on each contact, as things stand. Nothing is stored. Raises NotFound for a case that is not
    this actor's to see."""
    wanted = [contact.case_id for contact in contacts]
    cases = await casefile.find_all(tx, wanted)
    reachable = await dossiers.open_to(tx, cases, actor)
    for case_id in wanted:
        if case_id not in reachable:
            raise NotFound("case-not-found", "There is no such case here.", case_id=str(case_id))
    acts = [(cases[each.case_id], _contact(each, each.at or tx.now)) for each in contacts]
    background = await background_of(tx, cases, since=min(contact.at for _, contact in acts))
    return await asyncio.to_thread(_checked, background, acts)


def _checked(background: Background, acts: Sequence[tuple[CaseRow, Contact]]) -> list[ContactCheckView]:
    views = []
    for case, contact in acts:
        decision = background.judge(case, contact)
        views.append(
            ContactCheckView(
                case_id=case.id,
                verdict=decision.verdict,
                decision=decision.to_json(),
                suits_the_debtor=background.suits(case, contact),
            )
        )
    return views
