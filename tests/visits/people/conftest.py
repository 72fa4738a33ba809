"""The tables are made once and copied, as for visits."""

from tests.visits.visit.conftest import empty_tables, settings

__all__ = ["empty_tables", "settings"]
