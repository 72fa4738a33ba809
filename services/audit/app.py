"""The routes of audit, put together."""

from fastapi import FastAPI

from services.audit.attestations import api as attestations
from services.audit.export import api as export
from services.audit.search import api as search
from services.audit.status import api as status
from services.audit.story import api as story
from services.audit.trail import api as trail
from services.audit.verification import api as verification
from shared.runtime import Runtime
from shared.web import create_app as create_service_app


def create_app(runtime: Runtime) -> FastAPI:
    rooms = (trail, attestations, verification, search, story, export, status)
    return create_service_app(runtime, title="Doorstep audit", routers=[room.router for room in rooms])
