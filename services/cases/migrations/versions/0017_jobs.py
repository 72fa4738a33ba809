"""placements are jobs; why a row was refused is the outcome of an item

Times of placements were business time; the times of jobs are the system's. Of old files the one stands for the other.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lender_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("claimed_until_seconds", sa.Float(53), server_default="0", nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_kind_status_id", "job", ["kind", "status", "id"], unique=False)
    op.create_table(
        "job_outcome",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_outcome_job_id_job")),
        sa.PrimaryKeyConstraint("job_id", "item", name=op.f("pk_job_outcome")),
    )
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
    op.drop_table("job_outcome")
    op.drop_index("ix_job_kind_status_id", table_name="job")
    op.drop_table("job")
