"""Each service's migrations, on both databases, make what the code says; the trail's rows cannot be changed."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from services.embedded import PARTS
from shared import migrations

APPEND_ONLY = ("entry", "tile", "checkpoint", "entry_subject", "entry_rule")


@pytest.fixture(params=["sqlite", "postgresql"])
def url_of(request, tmp_path):
    """Gives the URL of an empty database of a service."""
    if request.param == "sqlite":
        return lambda name: f"sqlite+aiosqlite:///{tmp_path / name}.sqlite3"
    create = request.getfixturevalue("fresh_database")
    return lambda name: create()


@pytest.mark.parametrize("name", PARTS)
def test_upgrade_makes_what_the_code_says(name, url_of):
    service = PARTS[name].service
    url = url_of(name)
    migrations.upgrade(service.migrations, url)
    migrations.upgrade(service.migrations, url)
    migrations.check(service.migrations, url)


def test_services_that_share_a_process_may_migrate_at_once(url_of):
    urls = {name: url_of(name) for name in PARTS}
    with ThreadPoolExecutor(len(PARTS)) as pool:
        list(pool.map(lambda name: migrations.upgrade(PARTS[name].service.migrations, urls[name]), PARTS))
    for name, url in urls.items():
        migrations.check(PARTS[name].service.migrations, url)


async def execute(url, *statements):
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return [await connection.execute(text(statement)) for statement in statements][-1].all()
    finally:
        await engine.dispose()


ROW = {
    "entry": "INSERT INTO entry (log_id, idx, leaf_hash, leaf, event_id, client_digest, type, actor, occurred_at,"
    " recorded_at, correlation_id, outcome) VALUES ('a', 0, '', '', 'e', '', 't', 'x', 'now', 'now', 'c', 'done')",
    "tile": "INSERT INTO tile (log_id, level, n, hashes) VALUES ('a', 0, 0, '')",
    "checkpoint": "INSERT INTO checkpoint (log_id, size, note, made_at) VALUES ('a', 1, 'n', '2026-01-01 00:00:00')",
    "entry_subject": "INSERT INTO entry_subject (log_id, ref, n, idx) VALUES ('a', 'r', 1, 0)",
    "entry_rule": "INSERT INTO entry_rule (log_id, rule_id, idx) VALUES ('a', 'r', 0)",
}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET log_id = 'b'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_trail_takes_no_change(url_of, table, change):
    url = url_of("audit")
    if change.startswith("TRUNCATE") and url.startswith("sqlite"):
        change = "DELETE FROM {} WHERE 1"  # SQLite has no TRUNCATE
    migrations.upgrade(PARTS["audit"].service.migrations, url)
    row = ROW[table].replace("''", "x''") if url.startswith("sqlite") else ROW[table]
    head = "INSERT INTO head (log_id, size, root, frontier) VALUES ('a', 0, {0}, {0})".format(
        "x''" if url.startswith("sqlite") else "''"
    )
    statements = [head, ROW["entry"].replace("''", "x''") if url.startswith("sqlite") else ROW["entry"]]
    asyncio.run(execute(url, *statements, *([row] if table != "entry" else []), "SELECT 1"))
    with pytest.raises(DBAPIError, match="append"):
        asyncio.run(execute(url, change.format(table), "SELECT 1"))
    [[count]] = asyncio.run(execute(url, f"SELECT count(*) FROM {table}"))
    assert count == 1


def test_no_migration_has_dropped_a_trigger(url_of):
    url = url_of("audit")
    migrations.upgrade(PARTS["audit"].service.migrations, url)
    if url.startswith("sqlite"):
        query = "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    guarded = [table for (table,) in asyncio.run(execute(url, query))]
    assert set(APPEND_ONLY) <= set(guarded)
    each = 2 if url.startswith("sqlite") else 1  # PostgreSQL's one trigger stands for UPDATE, DELETE and TRUNCATE
    assert all(guarded.count(table) >= each for table in APPEND_ONLY)


def test_entries_of_an_older_schema_keep_their_guards_and_get_their_projections(url_of):
    url = url_of("audit")
    history = PARTS["audit"].service.migrations
    command.upgrade(migrations.config_of(history, url), "0003")
    aggregate = "0190a0b0-0000-7000-8000-000000000001"
    leaf = json.dumps(
        {
            "outcome": "BLOCK",
            "aggregate": {"id": aggregate, "version": 3},
            "source": {"topic": "visits.visit.v1", "partition": 0, "offset": 7},
            "data": {"deciding": ["tw.hours", "house.pair"], "rules": {"tw.hours": "block"}, "rule_id": "r-1"},
        }
    )
    binary = f"CAST('{leaf}' AS BLOB)" if url.startswith("sqlite") else f"convert_to('{leaf}', 'UTF8')"
    old = ROW["entry"].replace(", outcome", "").replace(", 'done'", "").replace("'', '', 'e', ''", "{0}, {0}, 'e', {0}")
    asyncio.run(execute(url, old.format(binary).replace(":", r"\:"), "SELECT 1"))
    migrations.upgrade(history, url)
    [found] = asyncio.run(execute(url, "SELECT outcome, aggregate_id, aggregate_version FROM entry"))
    assert tuple(found) == ("BLOCK", f"visits:{aggregate}", 3)
    rules = asyncio.run(execute(url, "SELECT rule_id, idx FROM entry_rule ORDER BY rule_id"))
    assert [tuple(rule) for rule in rules] == [("house.pair", 0), ("r-1", 0), ("tw.hours", 0)]
    assert [tuple(row) for row in asyncio.run(execute(url, "SELECT * FROM aggregate_head"))] == [
        (f"visits:{aggregate}", 3)
    ]
    with pytest.raises(DBAPIError, match="append"):
        asyncio.run(execute(url, "UPDATE entry SET outcome = 'PASS'", "SELECT 1"))
