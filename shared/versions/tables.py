"""The columns that every table of versions has. A room's table adds its own, and says whose rows they are:

class PackVersionRow(VersionColumns, VisitsTable, table=True):
    __tablename__ = "rule_pack_version"
    __table_args__ = (*unique_versions(), owned(tenant=None, because="The law is the same for all."))
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import JSON, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from shared.database import UtcTime


class VersionColumns(SQLModel):
    """`content` is the text of the version. `differences` to the version that it replaces are words by language, as of
    its upload. The other fields: shared/versions/domain.py."""

    id: UUID = Field(primary_key=True)
    document: str
    number: int
    name: str
    digest: str
    content: str = Field(sa_type=Text)
    differences: dict[str, list[str]] = Field(sa_type=JSON)
    status: str
    effective_from: date
    uploaded_by: str
    uploaded_at: datetime = Field(sa_type=UtcTime)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)
    withdrawn_by: str | None = None
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)

    @property
    def revision(self) -> int:
        """Counts the decisions on this version: the number of its ETag."""
        return (self.decided_at is not None) + (self.withdrawn_at is not None)


def unique_versions() -> tuple[UniqueConstraint, UniqueConstraint]:
    """Of a document, each name and each number is given once, also by two at the same moment."""
    return UniqueConstraint("document", "name"), UniqueConstraint("document", "number")
