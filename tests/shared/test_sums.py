"""Sums of integers are exact beyond 64 bits, on both databases."""

from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from shared.sums import exact_sum
from tests.databases import DATABASES

MOST = 2**63 - 1
ROWS = Table("row", MetaData(), Column("kind", BigInteger), Column("minor", BigInteger))
CASES = {
    1: [MOST] * 3,
    2: [-MOST - 1, -MOST - 1, 7],
    3: [10**9 - 1, -(10**9), -1, 0, 1],
    4: [-999_999_999, 1_000_000_001],
    5: [None, None],
}


@pytest.mark.parametrize("database", DATABASES)
async def test_a_sum_is_exact(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'sums'}"
    if database == "postgresql":
        url = request.getfixturevalue("fresh_database")()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(ROWS.metadata.create_all)
        rows = [{"kind": kind, "minor": minor} for kind, minors in CASES.items() for minor in minors]
        await connection.execute(insert(ROWS), rows)
        found = await connection.execute(select(ROWS.c.kind, exact_sum(ROWS.c.minor)).group_by(ROWS.c.kind))
        sums = dict(map(tuple, found))
        nothing = await connection.scalar(select(exact_sum(ROWS.c.minor)).where(ROWS.c.kind == 9))
    await engine.dispose()
    assert sums == {kind: sum(minor or 0 for minor in minors) for kind, minors in CASES.items()}
    assert nothing == 0
