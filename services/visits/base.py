"""The tables of this service stand on a metadata of their own, beside those that every service has."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from shared.database import service_metadata
from shared.lawbook import Lawbook
from shared.runtime import service_tables


class VisitsTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of every table of visits."""


LAWBOOK = Lawbook(VisitsTable.metadata)
TABLES = service_tables(VisitsTable.metadata)
