"""Backup and restore of the distributed form, by the commands of docs/operations.md: a real PostgreSQL and Kafka,
the four services in this process. The databases are restored beside a Kafka that was kept, then beside a new one.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.dev import kafka as dev_kafka
from deploy.dev import postgres as dev_postgres
from deploy.dev.processes import ServerMissing
from services.audit.attestations.checkpoints import verifier_of
from services.audit.roles import OWNER, SEQUENCER, grant_roles
from services.audit.verification.verify import verify
from services.embedded import PARTS
from shared import migrations
from shared.auth import Role
from shared.runtime import Runtime
from shared.web.operations import clock_view
from tests.actors.samples import PROFILE, file_of, row
from tests.one_service import bearer, client_of
from tests.operations_page import run
from tests.servers import missing, used

LENDER = "lender-1"
PATIENCE_SECONDS = 30
# Cases that a service knows of.
CASES = {"cases": "SELECT count(*) FROM case_file", "visits": "SELECT count(*) FROM caseload WHERE opened"}
TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture
def own_postgres(request):
    """A server whose databases this test may drop."""
    used(request, "a real PostgreSQL and Kafka to restore")
    try:
        with dev_postgres.postgres() as server:
            yield server
    except ServerMissing as error:
        missing(error)


class Deployment:
    """The four services on servers: what their processes share, and what they hold."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server
        self.runtimes = {}
        self.client = None

    def settings(self, name):
        return PARTS[name].settings(data_dir=self.folder, database_url=self._url(name), kafka_bootstrap=self.bootstrap)

    def _url(self, name):
        """The worker of audit logs in as a member of the sequencer's role; the others as their owner."""
        url = self.server.url_of(f"doorstep_{name}")
        return url.replace("//postgres@", "//doorstep_audit_worker_login@") if name == "audit" else url

    def create_databases(self):
        for name in PARTS:
            self.server.create_database(f"doorstep_{name}")

    def drop_databases(self):
        for name in PARTS:
            self.server.drop_database(f"doorstep_{name}")

    async def migrate(self):
        for name, part in PARTS.items():
            await asyncio.to_thread(migrations.upgrade, part.service.migrations, self.server.url_of(f"doorstep_{name}"))
        assert await grant_roles(self.server.url_of("doorstep_audit"))
        connection = await asyncpg.connect(self.server.server_url)
        await connection.execute(f"CREATE ROLE doorstep_audit_worker_login LOGIN IN ROLE {SEQUENCER}")
        await connection.close()

    @asynccontextmanager
    async def running(self, bootstrap):
        """Every worker, and the api of cases."""
        self.bootstrap = bootstrap
        self.runtimes = {name: Runtime(part.service, self.settings(name)) for name, part in PARTS.items()}
        stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            self.client = await stack.enter_async_context(client_of(PARTS["cases"].create_app(self.runtimes["cases"])))
            for name in PARTS.keys() - {"cases"}:
                await self.runtimes[name].start()
                stack.push_async_callback(self.runtimes[name].close)
            workers = [
                asyncio.create_task(PARTS[name].create_worker(runtime).run(stop))
                for name, runtime in self.runtimes.items()
            ]
            yield
            stop.set()
            await asyncio.gather(*workers)

    async def ask(self, role, method, path, expect=200, **options):
        headers = bearer(self.runtimes["cases"], role, lender_id=LENDER) | options.pop("headers", {})
        answer = await self.client.request(method, f"/cases/v1{path}", headers=headers, **options)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def new_lender(self):
        await self.ask(Role.ADMIN, "POST", "/lenders", 201, json={"id": LENDER, "name": LENDER})
        await self.ask(Role.ADMIN, "PUT", f"/lenders/{LENDER}/profile", json=PROFILE)

    async def place(self, *rows):
        """Send a file, and wait until all four services have handled what comes of it."""
        content, headers = file_of(*rows), {"Content-Type": "text/csv"}
        placed = await self.ask(Role.LENDER, "POST", "/placements", 202, content=content, headers=headers)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.ask(Role.LENDER, "GET", f"/placements/{placed['id']}"))["status"] != "DONE":
                await asyncio.sleep(0.05)
        await self.quiet()

    async def quiet(self):
        """Nothing waits in an outbox, and everybody has read to the end, at two looks one after the other."""
        looks = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(looks) < 2 or looks[-1] != looks[-2]:
                views = [await self._view(runtime) for runtime in self.runtimes.values()]
                if all(not view.outbox_pending and not view.lag for view in views):
                    looks.append([view.consumed for view in views])
                await asyncio.sleep(0.2)

    async def _view(self, runtime):
        async with runtime.database.reading() as tx:
            tx.now = await runtime.clock.now(tx)
            return await clock_view(runtime, tx)

    async def names(self):
        cases = (await self.ask(Role.LENDER, "GET", "/cases"))["items"]
        found = [await self.ask(Role.SUPERVISOR, "GET", f"/cases/{case['id']}/dossier") for case in cases]
        return sorted(each["name"] for each in found)

    async def trail(self):
        """How many entries the lender's log has, once the whole trail is verified; what it misses is an alarm."""
        settings = self.settings("audit")
        verifiers = [verifier_of(settings)]
        found = await verify(settings.database_url, verifiers=verifiers, origin=settings.trail_origin, processes=1)
        assert found.ok
        assert await self.query("audit", "SELECT count(*) FROM entry WHERE type LIKE 'trail.%' AND NOT type = ANY($1)",
                                ["trail.heartbeat", "trail.heads", "trail.restored"]) == 0  # fmt: skip
        return next(log.size for log in found.logs if log.log == LENDER)

    async def query(self, name, statement, *values):
        url = self.server.url_of(f"doorstep_{name}").replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def command(self, title, **more):
        """A block of the page, on this server."""
        address = self.server.server_url.partition("@")[2].partition("/")[0]
        host, _, port = address.partition(":")
        path = f"{dev_postgres.programs()}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        java = f"java -cp '{dev_kafka.jars()}/*' {TOOL}"
        change = ("kafka-consumer-groups.sh", java)
        server = {"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PATH": path}
        await asyncio.to_thread(run, title, change=change, **server, **more)


async def test_databases_are_restored_beside_a_kafka_that_was_kept_and_one_that_is_new(own_postgres, tmp_path):
    deployment = Deployment(tmp_path / "keys", own_postgres)
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    deployment.create_databases()
    await deployment.migrate()
    with dev_kafka.kafka() as kept:
        async with deployment.running(kept.bootstrap):
            await deployment.new_lender()
            await deployment.place(row("A-1", name="王小明"), row("A-2", name="Ann"))
        await deployment.command("distributed backup", BACKUP=old)
        async with deployment.running(kept.bootstrap):
            await deployment.place(row("A-3", name="李小龍"))
        await deployment.command("distributed backup", BACKUP=new)
        signed = await deployment.trail()

        # Three services are set back to the old backup; audit, which may not be, to the newest.
        (new / "audit.dump").replace(old / "audit.dump")
        deployment.drop_databases()
        deployment.create_databases()
        await deployment.command("distributed restore", BACKUP=old)
        assert await deployment.query("audit", "SELECT tableowner FROM pg_tables WHERE tablename = 'entry'") == OWNER
        assert [await deployment.query(name, CASES[name]) for name in CASES] == [2, 2]
        await deployment.command("positions at the brokers", KAFKA=kept.bootstrap)
        async with deployment.running(kept.bootstrap):
            await deployment.quiet()
            assert await deployment.names() == ["Ann", "王小明"]  # the keys fit; what cases decided later is lost
        assert [await deployment.query(name, CASES[name]) for name in CASES] == [2, 3]  # the others hear it again
        assert await deployment.trail() >= signed

    with dev_kafka.kafka() as fresh:
        for service in PARTS:
            await deployment.command("positions in topics that are gone", SERVICE=service)
        audit = deployment.settings("audit")
        await deployment.command(
            "positions of the trail",
            DOORSTEP_DATABASE_URL=audit.database_url,
            DOORSTEP_DATA_DIR=audit.data_dir,
            DOORSTEP_KAFKA_BOOTSTRAP=fresh.bootstrap,
        )
        async with deployment.running(fresh.bootstrap):
            await deployment.quiet()
            before = await deployment.trail()
            await deployment.place(row("A-3", name="李小龍"))  # the lender sends the file again
            assert await deployment.names() == ["Ann", "李小龍", "王小明"]
        assert [await deployment.query(name, CASES[name]) for name in CASES] == [3, 4]
        assert before >= signed
        assert await deployment.trail() > before
