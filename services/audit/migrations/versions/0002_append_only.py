"""Append-only, enforced below the code: triggers refuse to change or remove what the trail holds.

A table that a later migration rebuilds loses its triggers: a test counts them at the newest schema.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GUARDED = ("entry", "tile", "checkpoint", "entry_subject")
MESSAGE = "the trail is append-only"


def sqlite_guards() -> list[str]:
    """Statements for SQLite: no UPDATE, no DELETE, and an entry only at the next index of its log."""
    statements = []
    for table in GUARDED:
        for verb in ("UPDATE", "DELETE"):
            statements.append(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
    statements.append(
        "CREATE TRIGGER entry_next_only BEFORE INSERT ON entry"
        " WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry WHERE log_id = NEW.log_id)"
        f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}: not the next index'); END"
    )
    return statements


def postgresql_guards() -> list[str]:
    """Statements for PostgreSQL: no UPDATE, DELETE or TRUNCATE, whoever tries, replication included."""
    statements = [
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    ]
    for table in GUARDED:
        name = f"{table}_append_only"
        statements.append(
            f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        statements.append(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    return statements


def upgrade() -> None:
    for statement in sqlite_guards() if op.get_bind().dialect.name == "sqlite" else postgresql_guards():
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("a trail stays append-only")
