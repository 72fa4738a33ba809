"""plans are jobs; a draft of the release before waits for a worker"""

import sqlalchemy as sa
from alembic import op

from shared.migration_steps import JOBS

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    JOBS.upgrade()
    op.execute(
        """
        INSERT INTO job (id, kind, status, asked_by, asked_at, due_at, started_at, ended_at, problem)
        SELECT id, 'plans',
               CASE status WHEN 'DRAFT' THEN 'WAITING' WHEN 'FAILED' THEN 'FAILED'
                           WHEN 'CANCELLED' THEN CASE WHEN EXISTS (SELECT 1 FROM plan_basis WHERE plan_id = day_plan.id)
                                                      THEN 'DONE' ELSE 'CANCELLED' END
                           ELSE 'DONE' END,
               asked_by, asked_at, asked_at, CASE WHEN status <> 'DRAFT' THEN asked_at END,
               CASE WHEN status <> 'DRAFT' THEN asked_at END, CASE WHEN status = 'FAILED' THEN problem END
        FROM day_plan
        """
    )
    op.drop_column("day_plan", "claimed_until")


def downgrade() -> None:
    op.add_column("day_plan", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))
    JOBS.downgrade()
