"""The tables of the trail. Entries, tiles and checkpoints are only ever added: triggers of the migration see to it.

Columns of an entry beside its leaf are projections to search by; the leaf's bytes alone are what is proven.
"""

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Table, Text, UniqueConstraint
from sqlalchemy import Column as C

from services.audit.base import METADATA
from shared.tenants import owned

Big = BigInteger().with_variant(Integer, "sqlite")

ENTRY = Table(
    "entry",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("idx", Big, primary_key=True, autoincrement=False),
    C("leaf_hash", LargeBinary, nullable=False),
    C("leaf", LargeBinary, nullable=False),
    C("event_id", Text, nullable=False),
    C("client_digest", LargeBinary, nullable=False),
    C("type", Text, nullable=False),
    C("case_id", Text),
    C("actor", Text, nullable=False),
    C("occurred_at", Text, nullable=False),
    C("recorded_at", Text, nullable=False),
    C("correlation_id", Text, nullable=False),
    C("outcome", Text, nullable=False),
    C("aggregate_id", Text),
    C("aggregate_version", Big),
    UniqueConstraint("log_id", "event_id"),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)
# Cases are found as subjects are: by entry_subject.
Index("ix_entry_type", ENTRY.c.type, ENTRY.c.log_id, ENTRY.c.idx)
Index("ix_entry_actor", ENTRY.c.actor, ENTRY.c.log_id, ENTRY.c.idx)
Index("ix_entry_outcome", ENTRY.c.outcome, ENTRY.c.log_id, ENTRY.c.idx)
Index("ix_entry_correlation", ENTRY.c.correlation_id, ENTRY.c.log_id, ENTRY.c.idx)
Index("ix_entry_occurred", ENTRY.c.occurred_at, ENTRY.c.log_id, ENTRY.c.idx)
Index("ix_entry_aggregate", ENTRY.c.aggregate_id, ENTRY.c.aggregate_version)

# The rules that decided an entry.
ENTRY_RULE = Table(
    "entry_rule",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("rule_id", Text, primary_key=True),
    C("idx", Big, primary_key=True, autoincrement=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

TILE = Table(
    "tile",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("level", Integer, primary_key=True, autoincrement=False),
    C("n", Big, primary_key=True, autoincrement=False),
    C("hashes", LargeBinary, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

HEAD = Table(
    "head",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("size", Big, nullable=False),
    C("root", LargeBinary, nullable=False),
    C("frontier", LargeBinary, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

KAFKA_POS = Table(
    "kafka_pos",
    METADATA,
    C("topic", Text, primary_key=True),
    C("part", Integer, primary_key=True, autoincrement=False),
    C("next_offset", Big, nullable=False),
    C("last_event_id", Text, nullable=False),
    sqlite_strict=True,
    **owned(tenant=None, because="How far the sequencer has read."),
)

# The records that made no entry, since they brought an event again: each offset below KAFKA_POS.next_offset is named by
# a leaf, or stands here with the entry that holds its event. No event: from before offsets were compared. A bus that
# was lost and made again begins another generation of offsets.
SOURCE_SKIP = Table(
    "source_skip",
    METADATA,
    C("generation", Integer, primary_key=True, autoincrement=False),
    C("topic", Text, primary_key=True),
    C("part", Integer, primary_key=True, autoincrement=False),
    C("off", Big, primary_key=True, autoincrement=False),
    C("log_id", Text, nullable=False),
    C("event_id", Text, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

# What the trail remembers of its own operation, as JSON by name: see state.py.
TRAIL_STATE = Table(
    "trail_state",
    METADATA,
    C("name", Text, primary_key=True),
    C("value", Text, nullable=False),
    **owned(tenant=None, because="What the trail remembers of its own operation."),
)

ENTRY_SUBJECT = Table(
    "entry_subject",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("ref", Text, primary_key=True),
    C("n", Big, primary_key=True, autoincrement=False),
    C("idx", Big, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

SUBJECT_HEAD = Table(
    "subject_head",
    METADATA,
    C("log_id", Text, primary_key=True),
    C("ref", Text, primary_key=True),
    C("n", Big, nullable=False),
    C("prev", LargeBinary, nullable=False),
    sqlite_strict=True,
    **owned(tenant="log_id"),
)

# The newest version of each aggregate that has come; a jump shows an event that never did. An aggregate is written with
# the service that counts its versions, `cases:<id>`: projections.aggregate_ref.
AGGREGATE_HEAD = Table(
    "aggregate_head",
    METADATA,
    C("aggregate_id", Text, primary_key=True),
    C("version", Big, nullable=False),
    sqlite_strict=True,
    **owned(tenant=None, because="Versions of the aggregates of all lenders, for the sequencer."),
)
