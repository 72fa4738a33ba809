"""`doorstep trail status | checkpoint | proof | watch`, as an operator calls them."""

import asyncio
import json
import os
import signal
import subprocess
import threading
from base64 import b64decode
from contextlib import contextmanager
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from deploy.dev.processes import free_port
from services.audit.attestations.checkpoints import verifier_of
from services.audit.settings import AuditSettings
from services.audit.tlog.merkle import leaf_hash, verify_consistency, verify_inclusion
from services.audit.tlog.note import Checkpoint, open_note
from services.audit.worker import SERVICE
from services.cli.demo.systems import doorstep
from services.cli.main import app
from shared.clock import system_now
from tests.audit.publishing import LOG, ORIGIN, trail_on
from tests.audit.small_witness import SmallWitness
from tests.audit.time_authority import TimeAuthority

ENTRIES = 300
PATIENCE_SECONDS = 60


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
    return kept | {f"DOORSTEP_{name.upper()}": str(value) for name, value in settings.items()}


def call(data, *arguments, expect=0, **settings):
    done = CliRunner().invoke(app, ["trail", *arguments, "--data", str(data)], env=environment(**settings))
    assert done.exit_code == expect, done.output
    return done


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    """A data folder with a log of 300 entries, published at 5 and at 300."""
    data = tmp_path_factory.mktemp("commands") / "data"

    async def make():
        async with trail_on(data) as made:
            for count in (5, ENTRIES - 5):
                await made.grow(count)
                await made.publish()

    asyncio.run(make())
    return data


def test_status_shows_each_log_and_what_is_missing(trail):
    found = json.loads(call(trail, "status", "--json").stdout)
    [log] = [log for log in found["logs"] if log["log"] == LOG]
    assert (found["well"], found["witnesses"], log["size"], log["checkpoint_size"]) == (True, [], ENTRIES, ENTRIES)
    assert log["quorum"] is None
    assert found["last_verification"] is None  # a worker verifies, and none has run here
    assert log["copied_size"] is None
    assert "All is well" in call(trail, "status").stdout


async def stamped(data, settings):
    async with trail_on(data, **settings) as made:
        await made.grow(9)
        await made.publish()
        await made.publisher._stamper.stamp_due(system_now() + timedelta(minutes=2))


def test_status_shows_witnesses_stamps_and_copies(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    data = tmp_path / "data"
    vkey = verifier_of(AuditSettings(data_dir=data)).vkey
    with SmallWitness("w1", trusted={ORIGIN: vkey}) as one, SmallWitness("w2", trusted={}) as two:
        policy = tmp_path / "policy"
        lines = [f"witness one {one.vkey} {one.url}", f"witness two {two.vkey} {two.url}"]
        policy.write_text("\n".join([*lines, "group both 2 one two", "quorum both"]))
        with TimeAuthority(tmp_path / "tsa") as authority:
            settings = {"checkpoint_dir": outside, "witness_policy_file": policy, "witness_fail": "open"}
            settings |= authority.settings
            asyncio.run(stamped(data, settings))
    found = json.loads(call(data, "status", "--json", expect=1, **settings).stdout)
    [log] = [log for log in found["logs"] if log["log"] == LOG]
    assert (list(log["cosigned"]), log["quorum"], log["stamped_size"], log["copied_size"]) == (["one"], False, 9, 9)
    assert log["problems"] == ["only 1 of 2 witnesses cosigned the newest checkpoint: no quorum"]
    copy = outside / LOG / "checkpoint"
    words = call(data, "status", expect=1, **settings).stdout
    assert "1 of 2 witnesses, NO quorum" in words
    copy.write_text(copy.read_text().replace("\n9\n", "\n8\n"))
    assert "not one of this log by our key" in call(data, "status", expect=1, **settings).stdout


def test_the_checkpoint_of_a_log_is_printed_as_it_is(trail, tmp_path):
    note = call(trail, "checkpoint", "--log", LOG).stdout
    signed = Checkpoint.parse(open_note(note, verifier_of(AuditSettings(data_dir=trail))))
    told = json.loads(call(trail, "checkpoint", "--log", LOG, "--json").stdout)
    assert (told["size"], told["root"], told["note"]) == (ENTRIES, signed.root.hex(), note)
    kept = tmp_path / "kept"
    kept.write_text(note)
    call(trail, "verify", "--against", str(kept))
    assert "no such log" in call(trail, "checkpoint", "--log", "nobody", expect=3).stderr


def test_an_inclusion_proof_is_verified_and_stands_by_itself(trail):
    told = json.loads(call(trail, "proof", "inclusion", "--log", LOG, "--index", "17", "--json").stdout)
    leaf = told["leaf"].encode()
    assert json.loads(leaf)["log"] == LOG
    by_event = ["proof", "inclusion", "--event-id", json.loads(leaf)["eventId"]]
    head, _, note = call(trail, *by_event).stdout.partition("\n\n")
    first, index, *proof = head.split("\n")
    signed = Checkpoint.parse(open_note(note, verifier_of(AuditSettings(data_dir=trail))))
    assert (first, index, signed.size) == ("c2sp.org/tlog-proof@v1", "index 17", ENTRIES)
    assert verify_inclusion(17, signed.size, leaf_hash(leaf), [b64decode(each) for each in proof], signed.root)


def test_a_consistency_proof_is_verified_and_says_what_is_signed(trail):
    told = json.loads(call(trail, "proof", "consistency", "--log", LOG, "--from", "5", "--json").stdout)
    roots = bytes.fromhex(told["old_root"]), bytes.fromhex(told["new_root"])
    proof = [bytes.fromhex(each) for each in told["proof"]]
    assert verify_consistency(5, ENTRIES, *roots, proof)
    assert told["new_signed"] is True
    text = call(trail, "proof", "consistency", "--log", LOG, "--from", "7", "--to", "9").stdout
    assert text.startswith("old 7 ")
    assert "no checkpoint of this size" in text


@pytest.mark.slow
def test_the_commands_read_postgresql_too_and_need_no_broker(tmp_path, fresh_database):
    settings = {"database_url": fresh_database(SERVICE)}

    async def make():
        async with trail_on(tmp_path, **settings) as made:
            for count in (5, 300):
                await made.grow(count)
                await made.publish()

    asyncio.run(make())
    away = settings | {"kafka_bootstrap": f"127.0.0.1:{free_port()}"}
    found = json.loads(call(tmp_path, "status", "--json", expect=1, **away).stdout)
    assert (found["waiting"], found["well"], found["logs"][0]["checkpoint_size"]) == (None, False, 305)
    note = call(tmp_path, "checkpoint", "--log", LOG, **away).stdout
    assert note.startswith(f"{ORIGIN}\n305\n")
    told = json.loads(call(tmp_path, "proof", "inclusion", "--log", LOG, "--index", "300", "--json", **away).stdout)
    by_event = ["proof", "inclusion", "--event-id", json.loads(told["leaf"])["eventId"], "--json"]
    assert json.loads(call(tmp_path, *by_event, **away).stdout) == told
    call(tmp_path, "proof", "consistency", "--log", LOG, "--from", "5", **away)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["inclusion", "--log", LOG], 2),
        (["inclusion", "--index", "3"], 2),
        (["inclusion", "--log", LOG, "--index", str(ENTRIES)], 2),
        (["inclusion", "--log", LOG, "--index", "-1"], 2),
        (["inclusion", "--log", "nobody", "--index", "0"], 3),
        (["inclusion", "--event-id", "0199a0a0-0000-7000-8000-000000000000"], 3),
        (["consistency", "--log", LOG, "--from", "0"], 2),
        (["consistency", "--log", LOG, "--from", "9", "--to", "5"], 2),
        (["consistency", "--log", LOG, "--from", "5", "--to", "9999"], 2),
    ],
)
def test_what_cannot_be_proven_is_refused_in_words(trail, arguments, status):
    done = call(trail, "proof", *arguments, expect=status)
    assert done.stderr.strip()
    assert not done.stdout


def test_a_place_that_is_none_is_refused(trail):
    assert "write LOG:INDEX" in call(trail, "watch", "--from", "5", expect=2).stderr
    assert f"watch from 0 to {ENTRIES}" in call(trail, "watch", "--from", f"{LOG}:301", expect=2).stderr


@pytest.mark.parametrize("command", [["status"], ["checkpoint", "--log", LOG], ["watch"]])
def test_where_no_trail_is_that_is_said(tmp_path, command):
    assert "--data" in call(tmp_path, *command, expect=3).stderr


@pytest.mark.slow
async def test_watch_tells_what_is_new_ends_cleanly_and_goes_on_where_it_was(tmp_path):
    data = tmp_path / "data"
    async with trail_on(data) as made:
        await made.grow(3)
        await made.publish()
        with watching(data, "--json", "--from", f"{LOG}:1") as process:
            seen = [(line["kind"], line.get("index", line.get("size"))) for line in read(process, 3)]
            assert seen == [("entry", 1), ("entry", 2), ("checkpoint", 3)]
            await made.grow(2)
            await made.publish()
            found = read(process, 3)
            assert [line["kind"] for line in found] == ["entry", "entry", "checkpoint"]
            assert [found[0]["index"], found[1]["index"], found[2]["size"]] == [3, 4, 5]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=PATIENCE_SECONDS) == 0
            told = process.stderr.read()
        assert f"--from {LOG}:5" in told
        assert "Traceback" not in told
        await made.grow(1)
        with watching(data, "--json", "--log", LOG, "--from", f"{LOG}:5") as process:
            assert [line["index"] for line in read(process, 1)] == [5]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=PATIENCE_SECONDS) == 0


@contextmanager
def watching(data, *arguments):
    # Whoever started these tests may have them ignore Ctrl-C, as a shell does in the background: this command must not.
    command = ["env", "--default-signal=INT", *doorstep("trail", "watch", "--data", str(data), *arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process, count):
    """So many lines, each a JSON document. Fails where they do not come."""
    patience = threading.Timer(PATIENCE_SECONDS, process.kill)
    patience.start()
    try:
        return [json.loads(process.stdout.readline()) for _ in range(count)]
    finally:
        patience.cancel()


def test_a_checkpoint_of_another_log_proves_nothing_about_this_one(trail, tmp_path):
    (tmp_path / "foreign").write_text("elsewhere/lender-1\n7\nAAAA\n\n\u2014 elsewhere AAAAAAAA\n")
    done = call(trail, "verify", "--against", str(tmp_path / "foreign"), expect=2)
    assert "no checkpoint of doorstep" in " ".join(done.stderr.split())
