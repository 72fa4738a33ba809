"""Refer a case as soon as a rule fires; once while it is open."""

from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.ledger.domain.standing import Phase
from services.cases.referral import domain
from services.cases.referral.tables import ReferralRow
from shared.database import Transaction
from shared.events.cases import CaseReferred
from shared.ids import new_id


def refer_if_warranted(tx: Transaction, case: CaseRow) -> None:
    """Judge a locked case; where a rule fires, store the referral and say so."""
    if case.referred or case.phase != Phase.OPEN:
        return
    situation = domain.Situation(
        case.currency, case.balance_minor, case.days_past_due, case.attempts_without_contact, case.refusals
    )
    found = domain.warranting_rule(situation)
    if found is None:
        return
    rule, inputs = found
    casefile.mark_referred(case)
    row = ReferralRow(
        id=new_id(),
        case_id=case.id,
        rule_id=rule.id,
        rule_version=domain.RULES_VERSION,
        inputs=inputs,
        referred_at=tx.now,
    )
    tx.session.add(row)
    event = CaseReferred(case_id=case.id, referral_id=row.id, rule_id=rule.id, inputs=inputs)
    tx.publish(event, aggregate=case)
