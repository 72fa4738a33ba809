"""A data folder of an earlier release, made by its own code, goes on: the same answers, people and trail.

Each archive in `upgrades` is named by its release and holds the folder (`data`) and what the release answered when it
stopped (`answers.json`): cases, holds, notices, promises, visits and decisions by role and path, and one dossier. It is
ten on Monday; one visit was completed with a promise, one payment came in part and one in full, one case is on hold and
one team is under way. The people are made up.
"""

import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.demo.systems import doorstep
from shared.auth import Role
from tests.actors.samples import MONDAY, at, row
from tests.house import House, running_house

RELEASES = sorted(Path(__file__).with_name("upgrades").glob("*.tar.gz"))
LENDER = "north"
# Since the ledger, an account's balance has its payments taken off, as its case's always had; who has paid is not late.
TAKEN_OFF = re.compile(
    r".*(\.accounts\[\d+\]\.balance\.amount: .*|\.days_past_due: \d+ became 0|\.bucket: 'M\d' became 'M1')$"
)


@pytest.fixture(scope="module", params=RELEASES, ids=lambda path: path.name.partition(".")[0])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("release")
    with tarfile.open(request.param) as archive:
        archive.extractall(unpacked, filter="data")
    return unpacked


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return found


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[House]:
    # as the changelog says
    for words in (("migrate",), ("bus", "rebuild", "cases", "assignments"), ("bus", "rebuild", "followup", "cases")):
        command(folder, *words)
    with running_house(folder / "data") as running:
        running.quiet()
        yield running


def command(folder: Path, *words: str) -> None:
    done = subprocess.run(doorstep(*words, "--data", str(folder / "data")), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Where the new answer says anything else than the old one. It may say more, and a list may have become a page."""
    if isinstance(old, list) and isinstance(new, dict) and "items" in new:
        return differences(old, new["items"], place)
    if isinstance(old, dict) and isinstance(new, dict):
        return [each for name in old for each in differences(old[name], new.get(name), f"{place}.{name}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [each for number, (was, now) in pairs for each in differences(was, now, f"{place}[{number}]")]
    return [] if old == new else [f"{place}: {old!r} became {new!r}"]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["SUPERVISOR", "COMPLIANCE"])
def test_what_was_known_is_known(house: House, answers: dict[str, Any], role: str) -> None:
    caller = house.caller(Role[role])
    for path, old in answers[role].items():
        found = [each for each in differences(old, caller.get(path)) if not TAKEN_OFF.match(each)]
        assert found == [], path


@pytest.mark.slow
def test_followup_knows_where_an_old_case_is(house: House, answers: dict[str, Any]) -> None:
    case = house.supervisor.get(f"/cases/v1/cases/{answers['ids']['A-0']}")
    assert house.supervisor.get(f"/followup/v1/cases/{case['id']}")["time_zone"] == case["time_zone"]


@pytest.mark.slow
def test_decisions_run_again_to_the_same_verdict(house: House, answers: dict[str, Any]) -> None:
    decisions = answers["COMPLIANCE"]["/visits/v1/decisions"]["items"]
    assert decisions
    for each in decisions:
        again = house.officer.post(f"/visits/v1/decisions/{each['id']}/replay")
        assert again["same"], again


@pytest.mark.slow
def test_the_team_under_way_reads_the_dossier_that_was_sealed_before(house: House, answers: dict[str, Any]) -> None:
    kept = answers["dossier"]
    team = house.caller(Role.COLLECTOR, subject=kept["collector"])
    assert differences(kept["answer"], team.get(kept["path"])) == []


@pytest.mark.slow
def test_what_was_sealed_opens_before_and_after_its_keys_rotate(
    house: House, folder: Path, answers: dict[str, Any]
) -> None:
    [plan] = house.supervisor.every("/visits/v1/day-plans")

    def opened() -> list[Any]:
        team = house.caller(Role.COLLECTOR, subject=answers["dossier"]["collector"])
        names = [each["name"] for each in house.supervisor.every("/visits/v1/collectors")]
        routes = house.supervisor.every(f"/visits/v1/day-plans/{plan['id']}/routes")
        return [team.get(answers["dossier"]["path"]), names, routes]

    before = opened()
    assert all(before)
    command(folder, "keys", "rotate")
    assert opened() == before


@pytest.mark.slow
def test_a_known_debtor_is_no_stranger_and_the_day_goes_on(house: House, answers: dict[str, Any]) -> None:
    lender = house.caller(Role.LENDER, lender=LENDER)
    header = "account,balance,currency,days,paid,name,phone,lat,lon,person"
    lines = [header, f"{row('A-9', name='王小明', lat='25.040')},P-0", ""]
    sent = lender.ask(
        "POST", "/cases/v1/placements", 202, content="\n".join(lines).encode(), headers={"Content-Type": "text/csv"}
    )
    house.quiet()
    assert lender.get(sent.headers["Location"])["status"] == "DONE"
    by_account = {
        account["account_ref"]: case for case in lender.every("/cases/v1/cases") for account in case["accounts"]
    }
    assert by_account["A-9"]["id"] == answers["ids"]["A-0"]  # one debtor, one case
    house.move_clock(at(MONDAY, 18))


@pytest.mark.slow
def test_the_trail_holds_after_the_upgrade(house: House, folder: Path) -> None:
    house.quiet()
    command(folder, "trail", "verify")


@pytest.mark.slow
def test_the_books_hold_after_the_upgrade(house: House, folder: Path) -> None:
    """The payments of before are entries, and the trail names them."""
    house.quiet()
    done = subprocess.run(
        doorstep("ledger", "verify", "--json", "--data", str(folder / "data")), capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    assert (found["problems"], done.returncode) == ([], 0)
    assert found["payments"] >= 2
