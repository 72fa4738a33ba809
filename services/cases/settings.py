"""Settings of the service cases."""

from pydantic import Field

from shared.settings import Settings


class CasesSettings(Settings):
    placement_bytes_max: int = Field(100 * 1024 * 1024, ge=1, description="largest file of a placement, in bytes")
    placement_batch_rows: int = Field(500, ge=1, le=5_000, description="rows of a placement taken in one transaction")
