"""what entries are searched by and held to: outcomes, the rules that decided, aggregates and their newest versions

What is new is a projection of the leaves, so it is derived from those that are there already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MESSAGE = "the trail is append-only"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INDEXES = {
    "ix_entry_type": ["type", "log_id", "idx"],
    "ix_entry_actor": ["actor", "log_id", "idx"],
    "ix_entry_outcome": ["outcome", "log_id", "idx"],
    "ix_entry_correlation": ["correlation_id", "log_id", "idx"],
    "ix_entry_occurred": ["occurred_at", "log_id", "idx"],
    "ix_entry_aggregate": ["aggregate_id", "aggregate_version"],
}

LEAF = {"sqlite": "CAST(leaf AS TEXT)", "postgresql": "convert_from(leaf, 'UTF8')::jsonb"}
COLUMNS = {
    "sqlite": "outcome = json_extract({leaf}, '$.outcome'), aggregate_id ="
    " substr(json_extract({leaf}, '$.source.topic'), 1, instr(json_extract({leaf}, '$.source.topic'), '.') - 1)"
    " || ':' || json_extract({leaf}, '$.aggregate.id'),"
    " aggregate_version = json_extract({leaf}, '$.aggregate.version')",
    "postgresql": "outcome = {leaf} ->> 'outcome', aggregate_id ="
    " split_part({leaf} #>> '{{source,topic}}', '.', 1) || ':' || ({leaf} #>> '{{aggregate,id}}'),"
    " aggregate_version = ({leaf} #>> '{{aggregate,version}}')::bigint",
}
RULES = {
    "sqlite": "SELECT DISTINCT log_id, rule.value, idx FROM entry, json_each({leaf}, '$.data.{name}') AS rule"
    " WHERE rule.type = 'text' AND typeof(rule.key) <> 'text'",
    "postgresql": "SELECT DISTINCT log_id, rule #>> '{{}}', idx FROM entry,"
    " jsonb_path_query({leaf}, 'lax $.data.{name}[*]') AS rule WHERE jsonb_typeof(rule) = 'string'",
}
SQLITE_NEXT_ONLY = (
    "CREATE TRIGGER entry_next_only BEFORE INSERT ON entry"
    " WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry WHERE log_id = NEW.log_id)"
    f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}: not the next index'); END"
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    _create_tables()
    _open(dialect)
    op.drop_index("ix_entry_case", table_name="entry")
    op.drop_index("ix_entry_occurred", table_name="entry")
    for column in ("outcome", "aggregate_id"):
        op.add_column("entry", sa.Column(column, sa.Text(), nullable=True))
    op.add_column("entry", sa.Column("aggregate_version", BIG, nullable=True))
    _derive(dialect)
    with op.batch_alter_table("entry", table_kwargs={"sqlite_strict": True}) as entry:
        entry.alter_column("outcome", existing_type=sa.Text(), nullable=False)
    for name in INDEXES.keys() - {"ix_entry_type", "ix_entry_actor"}:
        op.create_index(name, "entry", INDEXES[name])
    _close(dialect)


def _create_tables() -> None:
    op.create_table(
        "entry_rule",
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("idx", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("log_id", "rule_id", "idx", name=op.f("pk_entry_rule")),
        sqlite_strict=True,
    )
    op.create_table(
        "aggregate_head",
        sa.Column("aggregate_id", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.PrimaryKeyConstraint("aggregate_id", name=op.f("pk_aggregate_head")),
        sqlite_strict=True,
    )


def _open(dialect: str) -> None:
    """Take the guards off entry while its new columns are filled; this transaction puts them back."""
    if dialect == "sqlite":
        for name in ("entry_no_update", "entry_no_delete", "entry_next_only"):
            op.execute(f"DROP TRIGGER {name}")
    else:
        op.execute("DROP TRIGGER entry_append_only ON entry")


def _derive(dialect: str) -> None:
    leaf = LEAF[dialect]
    op.execute(f"UPDATE entry SET {COLUMNS[dialect].format(leaf=leaf)}")
    for name in ("deciding", "rules", "rule_id"):
        rules = RULES[dialect].format(leaf=leaf, name=name)
        op.execute(f"INSERT INTO entry_rule (log_id, rule_id, idx) {rules} ON CONFLICT DO NOTHING")
    op.execute(
        "INSERT INTO aggregate_head (aggregate_id, version) SELECT aggregate_id, max(aggregate_version)"
        " FROM entry WHERE aggregate_id IS NOT NULL GROUP BY aggregate_id"
    )


def _close(dialect: str) -> None:
    for table in ("entry", "entry_rule"):
        if dialect == "sqlite":
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
                )
        else:
            name = f"{table}_append_only"
            op.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
            op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    if dialect == "sqlite":
        op.execute(SQLITE_NEXT_ONLY)


def downgrade() -> None:
    raise RuntimeError("a trail stays append-only")
