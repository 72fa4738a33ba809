"""What the worker of visits does: the events that it hears and the plans that it makes, put together."""

from pathlib import Path

from services.visits.base import APPROVALS, STREAMS, TABLES
from services.visits.building.jobs import PLANS
from services.visits.caseload import handlers as caseload
from services.visits.caseload.usecases import retention_classes
from services.visits.fieldday.missed import miss_due_visits
from services.visits.plans.expiry import delete_old_bases
from services.visits.rulepacks.usecases import ACTIVATE_RULE_PACK
from services.visits.visit import handlers as visit
from shared.approvals import Catalogue
from shared.events import cases, followup
from shared.runtime import Runtime, Service, Timer
from shared.worker import Worker

SERVICE = Service(
    name="visits",
    tables=TABLES,
    migrations=Path(__file__).with_name("migrations"),
    listens_to=(cases.TOPIC, followup.TOPIC),
    handlers={
        cases.CaseOpened: caseload.on_case_opened,
        cases.DebtorRecognised: caseload.on_debtor_recognised,
        cases.CaseUpdated: caseload.on_case_updated,
        cases.CaseReferred: caseload.on_case_referred,
        cases.CaseClosed: visit.on_case_closed,
        cases.CaseRecalled: visit.on_case_closed,
        cases.CaseReopened: visit.on_case_reopened,
        cases.CaseHeld: caseload.on_case_held,
        cases.CaseReleased: caseload.on_case_released,
        cases.NoticeRecorded: caseload.on_notice_recorded,
        cases.DebtorReached: caseload.on_debtor_reached,
        cases.ConsentRecorded: caseload.on_consent_recorded,
        cases.ConsentWithdrawn: caseload.on_consent_withdrawn,
        cases.ContactPreferenceRecorded: caseload.on_contact_preference_recorded,
        cases.QuietPeriodRecorded: caseload.on_quiet_period_recorded,
        cases.AddressVerified: caseload.on_address_verified,
        cases.LenderAgencyChanged: caseload.on_lender_agency_changed,
        followup.RevisitRequested: caseload.on_revisit_requested,
        followup.PromiseMade: caseload.on_promise_made,
        followup.PromiseKept: caseload.on_promise_ended,
        followup.PromisePartiallyKept: caseload.on_promise_ended,
        followup.PromiseBroken: caseload.on_promise_ended,
        followup.PromiseSuperseded: caseload.on_promise_ended,
        followup.PromiseCancelled: caseload.on_promise_ended,
        followup.PromiseCured: visit.on_promise_judged_again,
        followup.PromiseReopened: visit.on_promise_judged_again,
    },
    timers=(
        Timer("missed-visits", miss_due_visits),
        Timer("plan-bases", delete_old_bases),
        Timer("approvals", APPROVALS.expire_due),
        STREAMS.timer(),
    ),
    jobs=(PLANS,),
    retention=retention_classes,
    approvals=Catalogue(APPROVALS, (ACTIVATE_RULE_PACK,)),
)


def create_worker(runtime: Runtime) -> Worker:
    return Worker(runtime)
