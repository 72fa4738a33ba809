"""which records of the bus made no entry, what the trail remembers of its own operation, when exports were made

Each record makes an entry, unless it brings an event again. Until now those records were not noted: what is missing of
the offsets at this moment is taken for such records, without a name of the event.
"""

import itertools
import re
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MESSAGE = "the trail is append-only"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAGE_ROWS = 5_000
_source_in = re.compile(
    rb'"retention":"[^"]*","source":\{"offset":([0-9]+),"partition":([0-9]+),"topic":"([^"]+)"\},"subjects":\['
).search


def upgrade() -> None:
    op.create_table(
        "source_skip",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("off", BIG, autoincrement=False, nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "topic", "part", "off", name=op.f("pk_source_skip")),
        sqlite_strict=True,
    )
    op.create_table(
        "trail_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trail_state")),
    )
    op.add_column("export", sa.Column("made_at", sa.DateTime(timezone=True), nullable=True))
    _note_what_is_missing()
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def _note_what_is_missing() -> None:
    connection = op.get_bind()
    places = connection.execute(sa.text("SELECT topic, part, next_offset FROM kafka_pos"))
    taken = {(topic, part): bytearray(end) for topic, part, end in places}
    if not taken:
        return
    for log in connection.execute(sa.text("SELECT log_id FROM head")).scalars().all():
        for leaf in _leaves(log):
            if found := _source_in(leaf):
                offset, part, topic = int(found[1]), int(found[2]), found[3].decode()
                marks = taken.get((topic, part), bytearray())
                if offset < len(marks):
                    marks[offset] = 1
    missing = [
        {"topic": topic, "part": part, "off": offset}
        for (topic, part), marks in taken.items()
        for offset, mark in enumerate(marks)
        if not mark
    ]
    if missing:
        connection.execute(sa.text("INSERT INTO source_skip VALUES (0, :topic, :part, :off, '', '')"), missing)


def _leaves(log: str) -> Iterator[bytes]:
    page = sa.text("SELECT leaf FROM entry WHERE log_id = :log AND idx >= :start AND idx < :stop")
    for start in itertools.count(0, PAGE_ROWS):
        leaves = op.get_bind().execute(page, {"log": log, "start": start, "stop": start + PAGE_ROWS}).scalars().all()
        yield from map(bytes, leaves)
        if len(leaves) < PAGE_ROWS:
            return


def _guards(dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER source_skip_no_{verb.lower()} BEFORE {verb} ON source_skip"
            f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        "CREATE TRIGGER source_skip_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON source_skip"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        "ALTER TABLE source_skip ENABLE ALWAYS TRIGGER source_skip_append_only",
    ]


def downgrade() -> None:
    raise RuntimeError("a trail stays append-only")
