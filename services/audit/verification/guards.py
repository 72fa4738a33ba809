"""The triggers that keep the trail append-only, held to those of the migrations: who changes a trail must take them off
first, and does not always put them back. Each is compared with its whole text, since an empty one guards nothing.
"""

import re
from collections.abc import Iterator, Sequence

from services.audit.verification.source import Source

GUARDED = ("checkpoint", "checkpoint_stamp", "entry", "entry_rule", "entry_subject", "source_skip", "tile")
MESSAGE = "the trail is append-only"
SUPERSEDED = (
    "EXISTS (SELECT 1 FROM checkpoint later WHERE later.log_id = OLD.log_id AND later.size > OLD.size"
    " AND substr(later.made_at, 1, 16) = substr(OLD.made_at, 1, 16))"
)
SQLITE = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
POSTGRESQL = """
SELECT tgname, pg_get_triggerdef(pg_trigger.oid) || ' ' || tgenabled::text || ' ' || prosrc FROM pg_trigger
JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND nspname = current_schema()"""


async def missing_guards(source: Source) -> list[str]:
    """The triggers that are not there, not always on, or not what a migration made: by name, in order."""
    wanted = dict(_sqlite() if source.is_sqlite else _postgresql())
    if not await source.has_table("source_skip"):  # a trail of a release before that table
        wanted = {name: text for name, text in wanted.items() if not name.startswith("source_skip")}
    found: Sequence[tuple[str, str]] = await source.all(SQLITE if source.is_sqlite else POSTGRESQL)
    there = {name: _plain(text or "") for name, text in found}
    return sorted(name for name, text in wanted.items() if there.get(name) != _plain(text))


def _plain(text: str) -> str:
    """A statement whatever its spaces; PostgreSQL writes the schema's name or not, by its search path."""
    return re.sub(r"\s+", " ", text).strip().replace(" ON public.", " ON ").replace(" FUNCTION public.", " FUNCTION ")


def _sqlite() -> Iterator[tuple[str, str]]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    for table in GUARDED:
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_no_{verb.lower()}"
            unless = f"WHEN NOT {SUPERSEDED} " if name == "checkpoint_no_delete" else ""
            yield name, f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {unless}{refuse}"
    yield (
        "entry_next_only",
        "CREATE TRIGGER entry_next_only BEFORE INSERT ON entry"
        " WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry WHERE log_id = NEW.log_id)"
        f" BEGIN SELECT RAISE(ABORT, '{MESSAGE}: not the next index'); END",
    )


def _postgresql() -> Iterator[tuple[str, str]]:
    refuse = f" BEGIN RAISE EXCEPTION '{MESSAGE}'; END "
    for table in GUARDED:
        name = f"{table}_append_only"
        verbs = "UPDATE OR TRUNCATE" if table == "checkpoint" else "DELETE OR UPDATE OR TRUNCATE"
        made = f"CREATE TRIGGER {name} BEFORE {verbs} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        yield name, f"{made} A {refuse}"
    made = "CREATE TRIGGER checkpoint_kept BEFORE DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION"
    unless = f" BEGIN IF {SUPERSEDED} THEN RETURN OLD; END IF; RAISE EXCEPTION '{MESSAGE}'; END "
    yield "checkpoint_kept", f"{made} refuse_unless_superseded() A {unless}"
