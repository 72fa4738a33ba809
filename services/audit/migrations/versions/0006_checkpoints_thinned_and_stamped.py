"""of each minute the last checkpoint is kept, with the time stamp of an authority beside it"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MESSAGE = "the trail is append-only"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# A checkpoint may go only if a larger one of the same log and minute stays.
SUPERSEDED = (
    "EXISTS (SELECT 1 FROM checkpoint later WHERE later.log_id = OLD.log_id AND later.size > OLD.size"
    " AND substr(later.made_at, 1, 16) = substr(OLD.made_at, 1, 16))"
)


def upgrade() -> None:
    op.create_table(
        "checkpoint_stamp",
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("size", BIG, autoincrement=False, nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("stamped_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "size", name=op.f("pk_checkpoint_stamp")),
        sqlite_strict=True,
    )
    for statement in _sqlite() if op.get_bind().dialect.name == "sqlite" else _postgresql():
        op.execute(statement)


def _sqlite() -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    return [
        f"CREATE TRIGGER checkpoint_stamp_no_update BEFORE UPDATE ON checkpoint_stamp {refuse}",
        f"CREATE TRIGGER checkpoint_stamp_no_delete BEFORE DELETE ON checkpoint_stamp {refuse}",
        "DROP TRIGGER checkpoint_no_delete",
        f"CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint WHEN NOT {SUPERSEDED} {refuse}",
    ]


def _postgresql() -> list[str]:
    return [
        "CREATE TRIGGER checkpoint_stamp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint_stamp"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        "ALTER TABLE checkpoint_stamp ENABLE ALWAYS TRIGGER checkpoint_stamp_append_only",
        "DROP TRIGGER checkpoint_append_only ON checkpoint",
        "CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR TRUNCATE ON checkpoint"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        "ALTER TABLE checkpoint ENABLE ALWAYS TRIGGER checkpoint_append_only",
        "CREATE FUNCTION refuse_unless_superseded() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {SUPERSEDED} THEN RETURN OLD; END IF; RAISE EXCEPTION '{MESSAGE}'; END $$",
        "CREATE TRIGGER checkpoint_kept BEFORE DELETE ON checkpoint"
        " FOR EACH ROW EXECUTE FUNCTION refuse_unless_superseded()",
        "ALTER TABLE checkpoint ENABLE ALWAYS TRIGGER checkpoint_kept",
    ]


def downgrade() -> None:
    raise RuntimeError("a trail stays append-only")
