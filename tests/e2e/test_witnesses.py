"""The whole system beside real witnesses: a checkpoint is published when a quorum has cosigned it, and not before; the
trail grows all the while."""

import json
import signal
import time
from contextlib import ExitStack

import pytest

from services.audit.attestations.checkpoints import verifier_of
from services.audit.attestations.witness_policy import read_policy
from services.audit.settings import AuditSettings
from tests.actors.samples import MONDAY, at, row
from tests.audit.small_witness import SmallWitness
from tests.house import running_house

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 30


class EveryLog(dict):
    """The key of this deployment, whatever the log."""

    def __init__(self, vkey):
        self.vkey = vkey

    def __contains__(self, _origin):
        return True

    def __getitem__(self, _origin):
        return self.vkey


def start_witnesses(stack, data, policy):
    vkey = verifier_of(AuditSettings(data_dir=data)).vkey
    found = []
    for name in ("north", "south"):
        witness = SmallWitness(name, trusted={})
        witness.trusted = EveryLog(vkey)
        found.append(stack.enter_context(witness))
    lines = [f"witness {each.name} {each.vkey} {each.url}" for each in found]
    policy.write_text("\n".join([*lines, "group both all north south", "quorum both", ""]))
    return found


def log_of(house, lender):
    [log] = [log for log in house.officer.get("/audit/v1/trail/status")["logs"] if log["log"] == lender.id]
    return log


def published(house, lender):
    """The log, once its newest checkpoint signs all that is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        log = log_of(house, lender)
        if log["checkpoint_size"] == log["size"]:
            return log
        time.sleep(0.1)
    raise AssertionError(f"nothing was published: {json.dumps(log)}")


def test_a_quorum_of_witnesses_stands_behind_every_checkpoint(tmp_path):
    data, policy, outside = tmp_path / "data", tmp_path / "policy", tmp_path / "outside"
    outside.mkdir()
    settings = {"DOORSTEP_WITNESS_POLICY_FILE": str(policy), "DOORSTEP_CHECKPOINT_DIR": str(outside)}
    with ExitStack() as stack:
        north, _ = start_witnesses(stack, data, policy)
        with running_house(data, at(MONDAY, 9), **settings) as house:
            lender = house.lender()
            lender.place(*(row(f"W-{n}") for n in range(5)))
            house.quiet()
            log = published(house, lender)
            assert log["cosigned"].keys() == {"north", "south"}
            assert log["quorum"] is True
            note = house.officer.ask("GET", f"/audit/v1/logs/{lender.id}/checkpoint").text
            assert read_policy(policy).cosigned_by(note).keys() == {"north", "south"}
            assert (outside / lender.id / "checkpoint").read_text() == note

            north.answer = (500, "text/plain", "")
            lender.place(row("W-later"))
            house.quiet()
            time.sleep(1.5)  # it is tried more than once, and in vain
            grown = log_of(house, lender)
            assert grown["size"] > log["size"]
            assert grown["checkpoint_size"] == log["size"]
            metrics = house.client.get("/metrics").text
            assert "doorstep_witness_quorum_missed_total 0.0" not in metrics

            north.answer = None
            assert published(house, lender)["size"] >= grown["size"]


def test_who_watches_does_not_keep_the_system_from_ending(tmp_path):
    with running_house(tmp_path, at(MONDAY, 9)) as house:
        lender = house.lender()
        lender.place(row("S-1"))
        house.quiet()
        path = f"/audit/v1/logs/{lender.id}/watch?from=0"
        with house.client.stream("GET", path, headers=house.officer.headers) as answer:
            assert next(answer.iter_lines())
            house.process.send_signal(signal.SIGTERM)
            assert house.process.wait(timeout=PATIENCE_SECONDS) in (0, -signal.SIGTERM)
