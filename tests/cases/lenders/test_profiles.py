"""Feed profiles are read by the strict reader: what could grow, hide or surprise is refused at once, by its line."""

import json
import time

import pytest
import yaml

from services.cases.lenders.profile import read_profile
from shared.auth import Role
from shared.errors import Invalid
from tests.actors.samples import PROFILE
from tests.cases.conftest import System

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
