"""The faults to survive, each once, on both transports. `make faults` is the long form."""

import asyncio
import subprocess
import sys

import pytest

from tests.faults import scenarios
from tests.faults.scenarios import SCENARIOS, do, embedded_world, finish, prepare

RANDOM = "SIGKILL at random"


def cases(transport):
    return [pytest.param(each, id=each.name) for each in SCENARIOS if each.suits(transport) and each.name != RANDOM]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", cases("embedded"))
def test_embedded(scenario, tmp_path):
    _, found = scenario.run(embedded_world(tmp_path), None)
    assert found.kept, found


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.parametrize("scenario", cases("kafka"))
def test_on_kafka_and_postgresql(scenario, own_servers, tmp_path):
    _, found = scenario.run(own_servers.world(tmp_path), own_servers)
    assert found.kept, found


def verdict(world):
    """The checker as a program of its own."""
    command = [sys.executable, "-m", "tests.faults.checker", world.to_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_the_checker_finds_what_is_doubled_without_the_inbox(tmp_path):
    world = embedded_world(tmp_path)
    prepare(world, "consumer")
    do(world, "consumer", without="inbox", die_at="after commit")
    do(world, "consumer", without="inbox", linger_seconds=2.0)
    finish(world)
    status, said = verdict(world)
    assert status == 1, said
    assert said.startswith("BROKEN")
    assert "doubled 0" not in said


@pytest.mark.slow
def test_the_checker_finds_what_is_lost_without_the_outbox(tmp_path):
    world = embedded_world(tmp_path)
    do(world, "writer", without="outbox", die_at="after commit", after=5)
    finish(world)
    status, said = verdict(world)
    assert status == 1, said
    assert "lost 0" not in said


@pytest.mark.slow
def test_the_checker_finds_what_was_swapped_and_what_was_invented(tmp_path):
    world = embedded_world(tmp_path)
    prepare(world, "consumer", count=30)
    finish(world)
    assert verdict(world)[0] == 0
    asyncio.run(scenarios.tamper(world))
    status, said = verdict(world)
    assert status == 1, said
    assert "out of order 0" not in said
    assert "projections that differ 0" not in said
