"""Exports that were ordered, the checkpoints that they stand on, and the pieces of their files. Files are kept for some
days only: whoever lost one orders it again at the same sizes and gets the same bytes."""

from sqlalchemy import JSON, ForeignKey, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy import Column as C

from services.audit.base import METADATA
from shared.database import BigId, UtcTime
from shared.tenants import owned

EXPORT = Table(
    "export",
    METADATA,
    C("id", Uuid, primary_key=True),
    C("status", Text, nullable=False, index=True),
    C("question", JSON, nullable=False),
    C("sizes", JSON, nullable=False),
    C("asked_by", Text, nullable=False),
    C("asked_at", UtcTime, nullable=False),
    C("correlation_id", Text, nullable=False),
    C("entries", Integer, nullable=False),
    C("manifest_digest", Text),
    C("file_sha256", Text),
    C("file_bytes", BigId),
    C("ready_at", UtcTime),
    C("kept_until", UtcTime, index=True),
    C("problem", Text),
    C("made_at", UtcTime),  # as the manifest names it; NULL: ordered under a release that named no time
    **owned(tenant=None, because="Compliance orders it for a court; it may span logs."),
)

EXPORT_PART = Table(
    "export_part",
    METADATA,
    C("export_id", Uuid, ForeignKey(EXPORT.c.id), primary_key=True),
    C("n", Integer, primary_key=True, autoincrement=False),
    C("data", LargeBinary, nullable=False),
    **owned(tenant=None, because="A piece of an export's file."),
)

EXPORT_CHECKPOINT = Table(
    "export_checkpoint",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("size", BigId, primary_key=True, autoincrement=False),
    C("note", Text, nullable=False),
    C("made_at", Text, nullable=False),
    C("witnesses", JSON, nullable=False),
    C("stamp", LargeBinary),
    **owned(tenant="log_id"),
)
