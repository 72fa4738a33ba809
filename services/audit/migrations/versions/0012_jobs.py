"""exports and verifications are jobs; an export that was ordered waits for a worker"""

from alembic import op

from shared.migration_steps import JOBS

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    JOBS.upgrade()
    op.execute(
        """
        INSERT INTO job (id, kind, status, asked_by, asked_at, due_at, started_at, ended_at, done, total, problem)
        SELECT id, 'exports',
               CASE status WHEN 'REQUESTED' THEN 'WAITING' WHEN 'READY' THEN 'DONE' ELSE 'FAILED' END,
               asked_by, asked_at, asked_at, CASE WHEN status <> 'REQUESTED' THEN asked_at END,
               CASE WHEN status <> 'REQUESTED' THEN coalesce(ready_at, asked_at) END,
               CASE WHEN status = 'READY' THEN entries ELSE 0 END, entries, problem
        FROM export
        """
    )


def downgrade() -> None:
    JOBS.downgrade()
