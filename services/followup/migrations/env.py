"""Alembic's entry for the service followup. Its app is imported for the tables of every room behind it."""

from services.followup.app import create_app
from services.followup.worker import SERVICE
from shared.migrations import run_in_env

__all__ = ["create_app"]

run_in_env(SERVICE.tables.metadata)
