"""What the worker of followup does: it follows cases, makes promises of visits, applies money to them, and judges them
when grace is over."""

from pathlib import Path

from services.followup.base import TABLES
from services.followup.caseload.projection import CASES, CLOSINGS, REVERSALS
from services.followup.caseload.queries import retention_classes
from services.followup.promises import handlers as promises
from services.followup.promises import jobs
from shared.bus.handling import ByBatch
from shared.events import cases, visits
from shared.runtime import Runtime, Service, Timer
from shared.worker import Worker

SERVICE = Service(
    name="followup",
    tables=TABLES,
    migrations=Path(__file__).with_name("migrations"),
    listens_to=(cases.TOPIC, visits.TOPIC),
    handlers={
        visits.VisitCompleted: ByBatch(promises.on_visits_completed),
        cases.PaymentReceived: ByBatch(promises.on_payments_received),
        cases.PaymentReversed: promises.on_payment_reversed,
        cases.CaseClosed: promises.on_case_closed_or_reopened,
        cases.CaseRecalled: promises.on_case_closed_or_reopened,
        cases.CaseReopened: promises.on_case_closed_or_reopened,
        cases.AccountsRecalled: promises.on_case_closed_or_reopened,
    },
    projections=(CASES, CLOSINGS, REVERSALS),
    timers=(Timer("promises", jobs.judge_due_promises),),
    retention=retention_classes,
)


def create_worker(runtime: Runtime) -> Worker:
    return Worker(runtime)
