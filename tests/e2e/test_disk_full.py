"""A system on a disk that fills up: it refuses writes in words, reads on, starts again, and loses nothing."""

import re
import subprocess
import time

import pytest

from services.cli.demo.acts import SERVICES
from services.cli.demo.systems import doorstep
from shared.auth import Role
from tests.actors.people import Lender
from tests.actors.samples import file_of, row
from tests.house import PATIENCE_SECONDS, House, start_house
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow

RESERVE_BYTES = 2_000_000
HOLD = {"reason": "DISPUTE_PENDING", "scope": "all", "review_on": "2099-03-20"}
SETTINGS = {"DOORSTEP_STORAGE_FREE_BYTES_MIN": str(RESERVE_BYTES)}


def until(condition, what: str):
    """Wait until a condition gives something, and return that."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not in time: {what}")


def holds_until_full(house: House, path: str) -> list[str]:
    """Place holds until one is refused for want of room. Returns the ids of those that were acknowledged."""
    kept = []
    while len(kept) < 2_000:
        answer = house.client.post(path, json=HOLD, headers=house.officer.headers)
        if answer.status_code == 507:
            assert answer.json()["title"] == "storage-full"
            return kept
        assert answer.status_code == 201, answer.text
        kept.append(answer.json()["id"])
    raise AssertionError("the disk was never full")


def says_that_it_is_full_and_reads_on(house: House, case_id: str, lender: Lender) -> None:
    ready = house.client.get("/health/ready")
    assert ready.status_code == 503
    assert "full: writes are refused until there is room" in ready.json()["checks"]["storage"]
    assert house.client.get("/health/live").json() == {"status": "alive"}
    metrics = house.client.get("/metrics").text
    assert 'doorstep_storage_full{service="cases"} 1.0' in metrics
    assert 'doorstep_storage_free_bytes{service="cases"}' in metrics
    assert lender.caller.get(f"/cases/v1/cases/{case_id}")["id"] == case_id
    assert house.process.poll() is None


def loops_try_in_vain(house: House) -> bool:
    """Each relay met the full disk five times, ever more slowly; the members of the bus beat every two seconds."""
    metrics = house.client.get("/metrics").text
    errors = dict(re.findall(r'^doorstep_relay_errors_total{service="(\w+)"} (\S+)$', metrics, re.MULTILINE))
    return all(float(errors.get(service, 0)) >= 5 for service in SERVICES)


def held_in_trail(house: House, case_id: str) -> list[str]:
    """The ids of the holds in the trail's entries of a case, in their order."""
    found = house.officer.every("/audit/v1/entries", case_id=case_id, type="doorstep.cases.case-held.v1")
    return [entry["leaf"]["data"]["hold_id"] for entry in found]


def test_a_full_disk_refuses_writes_and_loses_nothing(tmp_path):
    with small_disk(tmp_path / "disk", 24) as disk:
        house = start_house(disk.path / "data", **SETTINGS)
        try:
            lender = house.lender()
            lender.place(row("A-1"))
            [case] = lender.cases().values()
            path = f"/cases/v1/cases/{case['id']}/holds"
            house.quiet()

            # Less than the reserve: files are refused, a small write passes.
            disk.fill(leave_bytes=RESERVE_BYTES - 200_000)
            refused = lender.send(file_of(row("A-2")), expect=507).json()
            assert refused["title"] == "storage-low"
            kept = [house.officer.post(path, HOLD, expect=201)["id"]]

            # No room: writes are refused, the rest goes on.
            disk.fill()
            kept += holds_until_full(house, path)
            until(lambda: loops_try_in_vain(house), "every relay has tried for about three seconds")
            says_that_it_is_full_and_reads_on(house, case["id"], lender)

            # SIGKILL and a new start change nothing of that.
            house.kill()
            disk.fill()
            house = start_house(disk.path / "data", answers="/health/live", **SETTINGS)
            lender = Lender(lender.id, house.caller(Role.LENDER, lender=lender.id))
            kept += holds_until_full(house, path)
            says_that_it_is_full_and_reads_on(house, case["id"], lender)

            # Room again: it goes on by itself, and every acknowledged write is in the trail once.
            disk.empty()
            until(lambda: house.client.get("/health/ready").status_code == 200, "ready again")
            kept.append(house.officer.post(path, HOLD, expect=201)["id"])
            assert lender.place(row("A-2"))["status"] == "DONE"
            house.quiet()
            assert held_in_trail(house, case["id"]) == kept
        finally:
            house.kill()
        verified = subprocess.run(
            doorstep("trail", "verify", "--data", str(disk.path / "data")), capture_output=True, text=True, check=False
        )
        assert verified.returncode == 0, verified.stdout + verified.stderr
