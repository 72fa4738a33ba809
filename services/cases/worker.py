"""What the worker of cases does: the events that it hears and the work that becomes due, put together."""

from pathlib import Path

from services.cases.ageing import jobs as ageing
from services.cases.base import APPROVALS, LAWBOOK, TABLES
from services.cases.casefile import handlers as casefile
from services.cases.casefile.projection import TIMELINE
from services.cases.casefile.queries import retention_classes
from services.cases.debtors import handlers as debtors
from services.cases.debtors.projection import ASSIGNMENTS, DUTIES
from services.cases.holds.usecases import RELEASE_HOLD
from services.cases.payments import handlers as payments
from services.cases.placements.jobs import PLACEMENTS
from shared.approvals import Catalogue
from shared.events import followup, visits
from shared.runtime import Runtime, Service, Timer
from shared.worker import Worker

SERVICE = Service(
    name="cases",
    tables=TABLES,
    migrations=Path(__file__).with_name("migrations"),
    listens_to=(visits.TOPIC, followup.TOPIC),
    handlers={
        visits.VisitCompleted: casefile.on_visit_completed,
        visits.VisitAborted: debtors.on_visit_given_up,
        visits.VisitCancelled: debtors.on_visit_given_up,
        visits.CashReceived: payments.on_cash_received,
        visits.RulePackActivated: LAWBOOK.on_rule_pack_activated,
        visits.RulePackWithdrawn: LAWBOOK.on_rule_pack_withdrawn,
    },
    projections=(TIMELINE, ASSIGNMENTS, DUTIES),
    timers=(Timer("approvals", APPROVALS.expire_due), Timer("ageing", ageing.age_cases)),
    jobs=(PLACEMENTS,),
    approvals=Catalogue(APPROVALS, (RELEASE_HOLD,)),
    retention=retention_classes,
)


def create_worker(runtime: Runtime) -> Worker:
    return Worker(runtime)
