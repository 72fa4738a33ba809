"""Versions of rule packs that were uploaded; a version's content is its YAML text."""

from sqlalchemy import BigInteger
from sqlmodel import Field

from services.visits.base import VisitsTable
from shared.tenants import owned
from shared.versions.tables import VersionColumns, unique_versions


class PackVersionRow(VersionColumns, VisitsTable, table=True):
    """`version` counts the events about it."""

    __tablename__ = "rule_pack_version"
    __table_args__ = (*unique_versions(), owned(tenant=None, because="The law is the same for all."))

    version: int = Field(default=0, sa_type=BigInteger)
