"""SQLite, as for visits, unless a test names its databases."""

from tests.visits.visit.conftest import settings

__all__ = ["settings"]
