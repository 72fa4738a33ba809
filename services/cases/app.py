"""The routes of cases, put together."""

from fastapi import FastAPI

from services.cases.casefile import api as casefile
from services.cases.complaints import api as complaints
from services.cases.consents import api as consents
from services.cases.contacts import api as contacts
from services.cases.debtors import api as debtors
from services.cases.dossiers import api as dossiers
from services.cases.holds import api as holds
from services.cases.ledger import api as ledger
from services.cases.lenders import api as lenders
from services.cases.payments import api as payments
from services.cases.placements import api as placements
from services.cases.recalls import api as recalls
from services.cases.referral import api as referral
from shared.runtime import Runtime
from shared.web import create_app as create_service_app


def create_app(runtime: Runtime) -> FastAPI:
    rooms = (
        lenders,
        placements,
        casefile,
        debtors,
        dossiers,
        consents,
        contacts,
        referral,
        holds,
        complaints,
        ledger,
        payments,
        recalls,
    )
    return create_service_app(runtime, title="Doorstep cases", routers=[room.router for room in rooms])
