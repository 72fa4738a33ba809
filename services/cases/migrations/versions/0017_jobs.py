"""placements are jobs; why a row was refused is the outcome of an item

Times of placements were business time; the times of jobs are the system's. Of old files the one stands for the other.
"""

import sqlalchemy as sa
from alembic import op

from shared.migration_steps import JOBS

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    JOBS.upgrade()
    op.execute(
        """
        INSERT INTO job (id, kind, lender_id, status, asked_by, asked_at, due_at, started_at, ended_at, done, total,
                         problem)
        SELECT id, 'placements', lender_id,
               CASE status WHEN 'DONE' THEN 'DONE' WHEN 'REFUSED' THEN 'FAILED' ELSE 'WAITING' END,
               'system:upgrade', received_at, received_at, received_at,
               CASE WHEN status IN ('DONE', 'REFUSED') THEN received_at END,
               next_row, CASE status WHEN 'DONE' THEN next_row ELSE control_rows END, problem
        FROM placement
        """
    )
    op.execute(
        "INSERT INTO job_outcome (job_id, item, line, field, code, message) "
        'SELECT placement_id, "row", line, field, code, message FROM placement_error'
    )
    op.drop_table("placement_error")


def downgrade() -> None:
    op.create_table(
        "placement_error",
        sa.Column("placement_id", sa.Uuid(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["placement_id"], ["placement.id"], name=op.f("fk_placement_error_placement_id_placement")
        ),
        sa.PrimaryKeyConstraint("placement_id", "row", name=op.f("pk_placement_error")),
    )
    op.execute(
        'INSERT INTO placement_error (placement_id, "row", line, field, code, message) '
        "SELECT job_id, item, line, field, code, message FROM job_outcome"
    )
    JOBS.downgrade()
