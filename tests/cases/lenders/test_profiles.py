"""Feed profiles are read by the strict reader: what could grow, hide or surprise is refused at once, by its line."""

import asyncio
import json
import time
from typing import Any

import pytest
import yaml
from alembic import command

from services.cases.lenders.profile import read_profile
from services.cases.placements.jobs import PLACEMENTS
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared import migrations
from shared.auth import Role
from shared.errors import Invalid
from shared.job_runner import run_next
from tests.actors.samples import PROFILE, file_of, row
from tests.cases.conftest import System
from tests.one_service import LENDER

PLAIN = yaml.safe_dump(PROFILE, sort_keys=False)
MERGED = "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9))


def test_plain_yaml_and_json_are_the_same_profile() -> None:
    assert read_profile(PLAIN.encode(), is_yaml=True) == read_profile(json.dumps(PROFILE).encode(), is_yaml=False)


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        (MERGED, 1, "anchors"),
        ("<<: {country: TW}\n" + PLAIN, 1, "merge keys"),
        (PLAIN + "region: *sent\n", PLAIN.count("\n") + 1, "aliases"),
        (PLAIN + "region: !!python/object/apply:os.system [ls]\n", PLAIN.count("\n") + 1, "tags"),
        (PLAIN + "currency: TWD\n", PLAIN.count("\n") + 1, "twice"),
        (PLAIN + "---\n" + PLAIN, PLAIN.count("\n") + 1, "second document"),
        ("[" * 50_000, 1, "nested"),
        ('name: "a\\0b"\n', 1, "NUL"),
        (": :\n\t- [", 1, "not YAML"),
        ("x: " + "y" * 500_000, None, "500,000 bytes"),
    ],
)
def test_what_is_not_plain_is_refused_at_once(content: str, line: int | None, word: str) -> None:
    begun = time.process_time()
    with pytest.raises(Invalid) as refused:
        read_profile(content.encode(), is_yaml=True)
    assert time.process_time() - begun < 0.25
    assert refused.value.code == "profile"
    assert word in refused.value.detail
    if word != "not YAML":
        assert refused.value.fields.get("line") == line


def test_merge_keys_of_few_bytes_are_the_attack_that_froze_the_services() -> None:
    assert len(MERGED) < 500
    assert MERGED.count("<<") == 8


@pytest.mark.parametrize("content", [b"\xff\xfe", b"12", b"null", b"", b"- a\n- b\n", b"{" * 2_000, b"[" * 200_000])
@pytest.mark.parametrize("is_yaml", [True, False])
def test_what_is_no_profile_is_refused(content: bytes, is_yaml: bool) -> None:
    with pytest.raises(Invalid) as refused:
        read_profile(content, is_yaml=is_yaml)
    assert refused.value.code == "profile"


async def test_a_profile_is_refused_in_words_over_http(system: System) -> None:
    await system.post("/lenders", {"id": "south", "name": "South"}, 201, Role.ADMIN)
    headers = system.bearer(Role.ADMIN) | {"Content-Type": "application/yaml"}
    path = "/cases/v1/lenders/south/profile"
    merged = await system.client.put(path, content=MERGED, headers=headers)
    assert (merged.status_code, merged.json()["title"], merged.json()["line"]) == (422, "profile", 1)
    misspelt = await system.client.put(path, content=PLAIN + "contry: TW\n", headers=headers)
    assert (misspelt.status_code, [each["where"] for each in misspelt.json()["errors"]]) == (422, ["contry"])
    assert (await system.client.put(path, content=PLAIN, headers=headers)).status_code == 200


@pytest.mark.parametrize("form", ["%Y%Y", "%", "%Q", "%Y\0"])
def test_a_form_of_dates_that_reads_none_is_refused(form: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_profile(json.dumps(PROFILE | {"date_format": form}).encode(), is_yaml=False)
    assert [each["where"] for each in refused.value.fields["errors"]] == ["date_format"]


async def put(system: System, **changes: Any) -> dict[str, Any]:
    path = f"/cases/v1/lenders/{LENDER}/profile"
    answer = await system.client.put(path, json=PROFILE | changes, headers=system.bearer(Role.LENDER))
    assert answer.status_code == 200, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


async def versions(system: System) -> list[dict[str, Any]]:
    found = await system.get(f"/lenders/{LENDER}/profile/versions", role=Role.LENDER)
    items: list[dict[str, Any]] = found["items"]
    return items


async def send(system: System, *accounts: str) -> dict[str, Any]:
    sent: dict[str, Any] = (await system.push(file_of(*map(row, accounts)))).json()
    return sent


@pytest.mark.dialect
async def test_a_file_names_its_version_and_a_version_its_first_file(system: System) -> None:
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    await put(system)
    first, second = await send(system, "A-1"), await send(system, "A-2")
    assert (await put(system, days_in_month=31))["differences"]["en"] == ["profile: days_in_month was 30, is now 31."]
    third = await send(system, "A-3")
    assert [each["profile_version"] for each in (first, second, third)] == [1, 1, 2]
    assert [each["first_placement_id"] for each in await versions(system)] == [first["id"], third["id"]]
    assert [each["standing"] for each in await versions(system)] == ["REPLACED", "IN_FORCE"]
    for query, files in (
        ({"profile_version": 1}, [first, second]),
        ({"profile_version": 2}, [third]),
        ({}, [first, second, third]),
    ):
        found = (await system.get("/placements", role=Role.LENDER, **query))["items"]
        assert [each["id"] for each in found] == [each["id"] for each in files]
    assert (await system.get("/placements?lender_id=lender-2"))["items"] == []
    await system.get(f"/lenders/{LENDER}/profile/versions/3", 404, Role.LENDER)
    await system.get(f"/lenders/{LENDER}/profile/versions/0", 422, Role.LENDER)
    again = await put(system, days_in_month=31)
    assert (again["version"], again["differences"]) == (2, {"en": [], "zh": []})
    assert (await put(system))["version"] == 3  # the text of an earlier version is a new one


async def test_two_who_edit_a_profile_see_each_other(system: System) -> None:
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    path = f"/cases/v1/lenders/{LENDER}/profile"
    for seen, status in (('"0"', 200), ('"0"', 412), ('"1"', 200), ('"1"', 412)):
        headers = system.bearer(Role.LENDER) | {"If-Match": seen}
        profile = PROFILE | {"days_in_month": 28 + int(seen[1])}
        answer = await system.client.put(path, json=profile, headers=headers)
        assert answer.status_code == status, answer.text
    assert [each["version"] for each in await versions(system)] == [1, 2]


@pytest.mark.dialect
async def test_profiles_of_the_last_release_have_versions_differences_and_first_uses(
    system: System, settings: CasesSettings
) -> None:
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    await put(system)
    first = await send(system, "A-1")
    await put(system, days_in_month=31)
    before = [await system.get(f"/lenders/{LENDER}/profile/versions/{n}", role=Role.LENDER) for n in (1, 2)]
    url = settings.database_url_of("cases")
    await asyncio.to_thread(command.downgrade, migrations.config_of(SERVICE.migrations, url), "0013")
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    for was in before:
        now = await system.get(f"/lenders/{LENDER}/profile/versions/{was['version']}", role=Role.LENDER)
        same = {name for name in was if name not in ("uploaded_by", "decided_by", "digest")}
        assert {name: now[name] for name in same} == {name: was[name] for name in same}
        assert now["uploaded_by"] == "system:migration"
    assert before[0]["first_placement_id"] == first["id"]
    assert await run_next(system.runtime, PLACEMENTS) == 1
    assert (await system.get(f"/placements/{first['id']}"))["accepted"] == 1
    assert (await put(system, days_in_month=31))["version"] == 2
    assert (await put(system))["version"] == 3
