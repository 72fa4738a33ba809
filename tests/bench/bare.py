"""The floor of HTTP: a bare FastAPI app with a token check and so many statements, by SQLAlchemy or by asyncpg.

`python -m tests.bench.bare PORT DATABASE_URL JWKS_FILE AUDIENCE`
"""

import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Header
from sqlalchemy import Column, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shared.auth import DEVELOPMENT_ISSUER, Issuer, KeySource, Role, TokenVerifier
from shared.process import runner

METADATA = MetaData()
BARE = Table("bare", METADATA, Column("id", Uuid, primary_key=True), Column("body", Text, nullable=False))
ONE = UUID(int=1)


async def create_app(url: str, jwks: Path, audience: str) -> FastAPI:
    app = FastAPI()
    engine = create_async_engine(url, pool_size=32)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(insert(BARE).values(id=ONE, body="x" * 500))
    pool = await asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=4, max_size=32)
    issuer = Issuer(DEVELOPMENT_ISSUER, KeySource(path=jwks), frozenset(Role))
    verifier = TokenVerifier([issuer], audience)

    async def caller(authorization: Annotated[str, Header()]) -> str:
        return (await verifier.actor(authorization.removeprefix("Bearer "))).subject

    Caller = Annotated[str, Depends(caller)]

    @app.get("/ready")
    async def ready() -> str:
        return "yes"

    @app.get("/sqlalchemy/{reads}/{writes}")
    async def by_session(reads: int, writes: int, _caller: Caller) -> dict[str, str]:
        async with AsyncSession(engine) as session:
            for _ in range(reads):
                row = (await session.execute(select(BARE).where(BARE.c.id == ONE))).one()
            for _ in range(writes):
                await session.execute(insert(BARE).values(id=uuid4(), body=row.body))
            await session.commit()
        return {"id": str(row.id), "body": row.body}

    @app.get("/asyncpg/{reads}/{writes}")
    async def by_asyncpg(reads: int, writes: int, _caller: Caller) -> dict[str, str]:
        async with pool.acquire() as connection, connection.transaction():
            for _ in range(reads):
                row = await connection.fetchrow("SELECT id, body FROM bare WHERE id = $1", ONE)
            for _ in range(writes):
                await connection.execute("INSERT INTO bare VALUES ($1, $2)", uuid4(), row["body"])
        return {"id": str(row["id"]), "body": row["body"]}

    return app


async def main() -> None:
    port, url, jwks, audience = sys.argv[1:5]
    app = await create_app(url, Path(jwks), audience)
    await uvicorn.Server(uvicorn.Config(app, port=int(port), log_config=None, access_log=False)).serve()


if __name__ == "__main__":
    with runner() as running:
        running.run(main())
