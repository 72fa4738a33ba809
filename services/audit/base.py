"""The tables of this service stand on a metadata of their own, beside those that every service has."""

from shared.database import service_metadata
from shared.runtime import service_tables

METADATA = service_metadata()
TABLES = service_tables(METADATA)
