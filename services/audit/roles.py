"""Who may do what in the trail's database, enforced by PostgreSQL: an owner that nobody logs in as, a sequencer that
only adds, a reader, and what the api needs beside reading. `doorstep migrate` grants anew each time, so that new tables
have their rights, too. Its one rule: no role may change or remove an entry; triggers refuse it even to the owner.
"""

import asyncpg
from sqlalchemy.engine import make_url

OWNER, SEQUENCER, READER, API = (
    "doorstep_audit_owner",
    "doorstep_audit_sequencer",
    "doorstep_audit_reader",
    "doorstep_audit_api",
)
# What only grows. Checkpoints are thinned to one a minute; a trigger says which may go.
ADDED_ONLY = ("entry", "entry_subject", "entry_rule", "tile", "checkpoint", "checkpoint_stamp", "source_skip")
THINNED = ("checkpoint",)
# What moves on with the entries: heads and positions.
MOVED = ("head", "kafka_pos", "subject_head", "aggregate_head")
# What the sequencer's process says of itself: that it halted, where copies are, what a verification found.
SAID = ("trail_state", "verification")
SCHEMA_VERSION = "alembic_version"


async def grant_roles(url: str) -> bool:
    """Make the roles where they are missing, and grant them their rights. False, and nothing done, on SQLite or where
    the migrating role may not make roles and nobody has made them."""
    parsed = make_url(url)
    if not parsed.drivername.startswith("postgresql"):
        return False
    connection = await asyncpg.connect(parsed.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        async with connection.transaction():
            return await _make_roles(connection) and await _grant(connection)
    finally:
        await connection.close()


async def _make_roles(connection: asyncpg.Connection) -> bool:
    # Roles belong to the whole server: two databases that are migrated at once make them one after the other.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('doorstep_audit_roles'))")
    found = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE 'doorstep_audit_%'")
    missing = {OWNER, SEQUENCER, READER, API} - {row["rolname"] for row in found}
    may = await connection.fetchval("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    if missing and not may:
        return False
    for role in sorted(missing):
        await connection.execute(f"CREATE ROLE {role} NOLOGIN")
    return True


async def _grant(connection: asyncpg.Connection) -> bool:
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    tables = {row["tablename"] for row in rows} - {SCHEMA_VERSION}
    own = ", ".join(sorted(tables - {*ADDED_ONLY, *MOVED, *SAID}))  # outbox, leases, exports and the like
    statements = [
        f"GRANT {OWNER} TO CURRENT_USER",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}",
        f"GRANT USAGE ON SCHEMA public TO {SEQUENCER}, {READER}, {API}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {SEQUENCER}, {READER}, {API}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {SEQUENCER}, {READER}, {API}",
        f"GRANT INSERT ON {', '.join(ADDED_ONLY)} TO {SEQUENCER}",
        f"GRANT DELETE ON {', '.join(THINNED)} TO {SEQUENCER}",
        f"GRANT INSERT, UPDATE ON {', '.join(MOVED)} TO {SEQUENCER}",
        f"GRANT INSERT, UPDATE, DELETE ON {', '.join(SAID)} TO {SEQUENCER}",
        f"GRANT INSERT, UPDATE, DELETE ON {own} TO {SEQUENCER}, {API}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {SEQUENCER}, {API}",
        *(f"ALTER TABLE {table} OWNER TO {OWNER}" for table in sorted(tables)),
    ]
    for statement in statements:
        await connection.execute(statement)
    return True
