"""Where measurements run: a PostgreSQL that keeps its promises (fsync on), a Kafka, and fresh databases by name."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared import migrations
from shared.bus.kafka.brokers import Brokers
from shared.bus.kafka.transport import KafkaTransport
from shared.runtime import Runtime, Service
from shared.settings import Settings


@dataclass(slots=True)
class Stage:
    """`postgres_url` is that of any database of the server, without a driver; `folder` is for keys and files."""

    postgres_url: str
    kafka: str
    folder: Path
    databases: int = 0

    async def database(self) -> str:
        """The URL of a new, empty database."""
        self.databases += 1
        name = f"bench_{self.databases}"
        connection = await asyncpg.connect(self.postgres_url)
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return f"{self.postgres_url.rpartition('/')[0]}/{name}"

    async def settings(self, kind: type[Settings] = Settings) -> Settings:
        """Settings of a service on a new database, over Kafka."""
        url = (await self.database()).replace("postgresql://", "postgresql+asyncpg://")
        return kind(data_dir=self.folder, database_url=url, kafka_bootstrap=self.kafka)

    @asynccontextmanager
    async def runtime(self, service: Service, settings: Settings, *, create: bool = False) -> AsyncIterator[Runtime]:
        """A service, started, its tables made by its migrations (or as they are in code)."""
        runtime = Runtime(service, settings)
        if create:
            async with runtime.database.engine.begin() as connection:
                await connection.run_sync(service.tables.metadata.create_all)
        else:
            await asyncio.to_thread(migrations.upgrade, service.migrations, settings.database_url_of(service.name))
        await runtime.start()
        try:
            yield runtime
        finally:
            await runtime.close()

    async def transport(self, client: str) -> KafkaTransport:
        transport = KafkaTransport(Brokers(self.kafka), client=client)
        await transport.start()
        return transport


def environment(settings: Settings) -> dict[str, str]:
    """What a process of the service needs to know, and no other settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")} | {
        "DOORSTEP_DATA_DIR": str(settings.data_dir),
        "DOORSTEP_DATABASE_URL": settings.database_url or "",
        "DOORSTEP_KAFKA_BOOTSTRAP": settings.kafka_bootstrap or "",
    }


async def connect(settings: Settings) -> asyncpg.Connection:
    """A bare connection to a service's database, for floors."""
    return await asyncpg.connect((settings.database_url or "").replace("+asyncpg", ""))
