"""jobs"""

from shared.migration_steps import JOBS

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

upgrade, downgrade = JOBS
