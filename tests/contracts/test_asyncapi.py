"""The AsyncAPI document: valid by AsyncAPI's own parser, and enough to read our topics with."""

import json
import subprocess
import uuid
from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy import MetaData

from deploy.dev.processes import ServerMissing, cache, install
from docs.generate import DOCS
from shared.bus.relay import Relay
from shared.events.registry import EVENTS
from shared.events.schemas import sample_of
from shared.ids import new_id
from shared.runtime import Runtime, Service, service_tables
from shared.settings import Settings
from tests.servers import missing

PARSER = "@asyncapi/parser@3.6.3"
DOCUMENT = DOCS / "events" / "asyncapi.yaml"
PROGRAM = """
const { Parser } = require("@asyncapi/parser");
new Parser().parse(require("fs").readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  const wrong = diagnostics.filter((each) => each.severity === 0);
  const messages = document ? document.allMessages().all().map((each) => each.name()) : [];
  console.log(JSON.stringify({ wrong: wrong.map((each) => each.message + " at " + each.path.join(".")), messages }));
});
"""


@pytest.fixture(scope="session")
def parser() -> Path:
    """The folder of AsyncAPI's parser, fetched on first use."""
    folder = cache() / "asyncapi-parser"
    try:
        install(["nodejs", "npm"], "npm", "AsyncAPI's parser needs Node: install Debian's packages nodejs and npm")
        if not (folder / "complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), PARSER]
            fetched = subprocess.run(command, capture_output=True, text=True, check=False)
            if fetched.returncode:
                raise ServerMissing(f"npm could not fetch {PARSER}: {fetched.stderr[-300:]}")
            (folder / "complete").touch()
    except ServerMissing as error:
        missing(error)
    (folder / "parse.js").write_text(PROGRAM)
    return folder


def parse(parser: Path, document: Path) -> dict:
    done = subprocess.run(
        ["node", "parse.js", str(document)], cwd=parser, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_asyncapis_own_parser_takes_the_document(parser, tmp_path):
    found = parse(parser, DOCUMENT)
    assert found["wrong"] == []
    assert set(found["messages"]) == set(EVENTS)
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text().replace("action: send", "action: shout"))
    assert parse(parser, broken)["wrong"]


async def test_a_reader_with_nothing_but_the_document_reads_our_topics(kafka_bootstrap, tmp_path):
    sent = await publish_every_sample(kafka_bootstrap, tmp_path)
    document = yaml.safe_load(DOCUMENT.read_text())
    messages = {each["name"]: each for each in document["components"]["messages"].values()}
    headers_schema = document["components"]["schemas"]["headers"]
    reader = AIOKafkaConsumer(
        *(channel["address"] for channel in document["channels"].values()),
        bootstrap_servers=kafka_bootstrap,
        auto_offset_reset="earliest",
        group_id=f"another-team-{uuid.uuid4()}",
    )
    await reader.start()
    understood = {}
    try:
        while set(sent) - set(understood):
            for records in (await reader.getmany(timeout_ms=2000)).values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    if headers.get("ce_id") in sent:
                        Draft202012Validator(headers_schema, format_checker=FormatChecker()).validate(headers)
                        data = json.loads(record.value)
                        payload = messages[headers["ce_type"]]["payload"]
                        Draft202012Validator(payload, format_checker=FormatChecker()).validate(data)
                        assert record.key.decode() == headers["ce_partitionkey"]
                        understood[headers["ce_id"]] = (headers["ce_type"], data)
    finally:
        await reader.stop()
    assert understood == sent


async def publish_every_sample(bootstrap, folder):
    """One event of each type through the real outbox and relay. Returns type and data by event id."""
    sent = {}
    for service in ("cases", "visits", "followup", "audit"):
        metadata = MetaData()
        tables = service_tables(metadata)
        runtime = Runtime(
            Service(service, tables, folder), Settings(data_dir=folder / service, kafka_bootstrap=bootstrap)
        )
        (folder / service).mkdir(exist_ok=True)
        async with runtime.database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await runtime.start()
        async with runtime.database.transaction() as tx:
            for wire_type, event in EVENTS.items():
                if event.topic.startswith(service) or (service == "cases" and event.topic.startswith("operations")):
                    data = sample_of(event)
                    event_id = tx.publish_as(event.model_validate(data), subject=new_id(), version=1, key=new_id())
                    sent[str(event_id)] = (wire_type, data)
        relay = Relay(runtime.database, tables.bus, runtime.transport, wake=runtime.events_waiting)
        assert await relay._lease.holds()
        while await relay.relay_once():
            pass
        await runtime.close()
    assert {wire_type for wire_type, _ in sent.values()} == set(EVENTS)
    return sent
