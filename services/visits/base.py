"""The tables of this service stand on a metadata of their own, beside those that every service has."""

from datetime import timedelta

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from shared.approvals import Approvals
from shared.database import service_metadata
from shared.lawbook import Lawbook
from shared.runtime import service_tables
from shared.streams import Streams


class VisitsTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of every table of visits."""


LAWBOOK = Lawbook(VisitsTable.metadata)
APPROVALS = Approvals(VisitsTable.metadata)
STREAMS = Streams(VisitsTable.metadata, kept=timedelta(days=7))
TABLES = service_tables(VisitsTable.metadata)
