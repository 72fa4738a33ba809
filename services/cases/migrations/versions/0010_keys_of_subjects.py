"""keys of subjects, each with the id of the master key that wraps it"""

from collections.abc import Sequence

from shared.migration_steps import KEYS_OF_SUBJECTS

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

upgrade, downgrade = KEYS_OF_SUBJECTS
