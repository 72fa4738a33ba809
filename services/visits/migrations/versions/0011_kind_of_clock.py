"""the kind of clock is stored: a row of an older release is a simulated clock"""

from collections.abc import Sequence

from shared.migration_steps import KIND_OF_CLOCK

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

upgrade, downgrade = KIND_OF_CLOCK
