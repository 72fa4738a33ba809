"""parked events are known by their event ids: an event is put aside once, however often it comes"""

from collections.abc import Sequence

from shared.migration_steps import PARKED_BY_EVENT

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

upgrade, downgrade = PARKED_BY_EVENT
