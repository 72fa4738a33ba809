"""Alembic's entry for the service visits. Its app is imported for the tables of every room behind it."""

from services.visits.app import create_app
from services.visits.worker import SERVICE
from shared.migrations import run_in_env

__all__ = ["create_app"]

run_in_env(SERVICE.tables.metadata)
