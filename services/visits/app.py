"""The routes of visits, put together."""

from fastapi import FastAPI

from services.visits.fieldday import api as fieldday
from services.visits.gate import api as gate
from services.visits.pages import api as pages
from services.visits.people import api as people
from services.visits.plans import api as plans
from services.visits.rulepacks import api as rulepacks
from services.visits.staffing import api as staffing
from services.visits.visit import api as visit
from shared.runtime import Runtime
from shared.web import create_app as create_service_app


def create_app(runtime: Runtime) -> FastAPI:
    rooms = (people, staffing, gate, rulepacks, plans, fieldday, pages, visit)
    return create_service_app(runtime, title="Doorstep visits", routers=[room.router for room in rooms])
