"""What verifications found: one row each, the newest `KEPT_MAX` of them."""

from sqlalchemy import Boolean, Float, Table, Text, Uuid
from sqlalchemy import Column as C

from services.audit.base import METADATA
from shared.database import UtcTime
from shared.tenants import owned

KEPT_MAX = 100

VERIFICATION = Table(
    "verification",
    METADATA,
    C("id", Uuid, primary_key=True),
    C("started_at", UtcTime, nullable=False),
    C("seconds", Float(53), nullable=False),
    C("ok", Boolean, nullable=False),
    C("found", Text, nullable=False),
    **owned(tenant=None, because="What was found in all logs."),
)
