"""Teams of the last release keep their members, on both databases, there and back."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine

from services.visits.worker import SERVICE
from shared import migrations
from tests.databases import DATABASES

LAST_RELEASE = "0011"
TEAM, OTHER, ONE, TWO = (UUID(int=number) for number in range(1, 5))
COLLECTOR = sa.table(
    "collector",
    *(sa.column(name, kind) for name, kind in (
        ("id", sa.Uuid()), ("wrapped_key", sa.LargeBinary()), ("sealed_name", sa.LargeBinary()),
        ("status", sa.String()), ("certificates", sa.JSON()), ("version", sa.BigInteger()), ("statuses", sa.JSON()),
    )),
)  # fmt: skip
TEAMS = sa.table("team", sa.column("id", sa.Uuid()), sa.column("name", sa.String()))
OLD = sa.table(
    "team_member",
    *(sa.column(name, kind) for name, kind in (
        ("team_id", sa.Uuid()), ("rank", sa.Integer()), ("collector_id", sa.Uuid())
    )),
)  # fmt: skip
NEW = sa.table("team_members", sa.column("team_id", sa.Uuid()), sa.column("collector_ids", sa.JSON()))
MEMBERS = [(TEAM, 0, TWO), (TEAM, 1, ONE), (OTHER, 0, ONE), (OTHER, 1, TWO)]


@pytest.mark.parametrize("kind", DATABASES)
def test_members_of_the_last_release_are_kept(kind, tmp_path, request):
    url = (
        f"sqlite+aiosqlite:///{tmp_path}/visits.sqlite3"
        if kind == "sqlite"
        else request.getfixturevalue("fresh_database")()
    )
    config = migrations.config_of(SERVICE.migrations, url)
    command.upgrade(config, LAST_RELEASE)
    names = ("team_id", "rank", "collector_id")
    known = {"wrapped_key": b"k", "sealed_name": b"n", "status": "ACTIVE", "certificates": [], "version": 1}
    in_database(
        url,
        COLLECTOR.insert().values([{"id": each} | known for each in (ONE, TWO)]),
        TEAMS.insert().values([{"id": each, "name": "Team"} for each in (TEAM, OTHER)]),
        OLD.insert().values([dict(zip(names, row, strict=True)) for row in MEMBERS]),
    )
    command.upgrade(config, "head")
    found = in_database(url, sa.select(NEW.c.team_id, NEW.c.collector_ids).order_by(NEW.c.team_id))
    assert found == [(TEAM, [str(TWO), str(ONE)]), (OTHER, [str(ONE), str(TWO)])]
    assert in_database(url, sa.select(COLLECTOR.c.statuses)) == [([],), ([],)]
    command.downgrade(config, LAST_RELEASE)
    assert in_database(url, sa.select(*OLD.c).order_by(OLD.c.team_id, OLD.c.rank)) == MEMBERS


def in_database(url: str, *statements: Any) -> list[tuple[Any, ...]]:
    """Run statements; the rows of the last one."""

    async def run() -> list[tuple[Any, ...]]:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                results = [await connection.execute(each) for each in statements]
                return [tuple(row) for row in results[-1].all()] if results[-1].returns_rows else []
        finally:
            await engine.dispose()

    return asyncio.run(run())
