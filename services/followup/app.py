"""The routes of followup, put together."""

from fastapi import FastAPI

from services.followup.caseload import api as caseload
from services.followup.lenders import api as lenders
from services.followup.promises import api as promises
from shared.runtime import Runtime
from shared.web import create_app as create_service_app


def create_app(runtime: Runtime) -> FastAPI:
    routers = [lenders.router, caseload.router, promises.router]
    return create_service_app(runtime, title="Doorstep followup", routers=routers)
