"""The tables of this service stand on a metadata of their own, beside those that every service has."""

from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from shared.approvals import Approvals
from shared.database import service_metadata
from shared.lawbook import Lawbook
from shared.runtime import service_tables


class CasesTable(SQLModel, registry=registry(metadata=service_metadata())):
    """Base of every table of cases."""


LAWBOOK = Lawbook(CasesTable.metadata)
APPROVALS = Approvals(CasesTable.metadata)
TABLES = service_tables(CasesTable.metadata)
