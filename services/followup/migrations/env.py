"""Alembic's entry for the service followup. Importing the app imports every room, and so every table."""

from services.followup import app, worker
from shared.migrations import run_in_env

assert app  # noqa: S101 - imported for its tables
run_in_env(worker.SERVICE.tables.metadata)
