"""Alembic's entry for the service visits. Importing the app imports every room, and so every table."""

from services.visits import app, worker
from shared.migrations import run_in_env

assert app  # noqa: S101 - imported for its tables
run_in_env(worker.SERVICE.tables.metadata)
