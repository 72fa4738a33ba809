"""The tables of attestations: the checkpoints that were published, and their time stamps. Rows are only ever added, but
for checkpoints of the same minute: triggers of the migration see to it.
"""

from sqlalchemy import Column as C
from sqlalchemy import LargeBinary, Table, Text

from services.audit.base import METADATA
from services.audit.trail.tables import Big
from shared.tenants import owned

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("size", Big, primary_key=True, autoincrement=False),
    C("note", Text, nullable=False),
    C("made_at", Text, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

CHECKPOINT_STAMP = Table(
    "checkpoint_stamp",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("size", Big, primary_key=True, autoincrement=False),
    C("stamp", LargeBinary, nullable=False),
    C("stamped_at", Text, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)
