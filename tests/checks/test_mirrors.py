"""A room without tests fails the check, whatever tests its neighbours have."""

from pathlib import Path

import pytest

from checks.mirrors import ROOT, rooms, without_tests


def write(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_each_room_of_the_house_has_tests() -> None:
    assert without_tests(ROOT) == []
    assert {("cases", "holds"), ("audit", "search"), ("followup", "promises")} <= set(rooms(ROOT))


@pytest.mark.parametrize(
    ("tests", "missing"),
    [
        ((), ["services/cases/holds"]),
        (("tests/cases/holds/test_domain.py",), []),
        (("tests/cases/test_holds_api.py",), []),
        (("tests/cases/holds/conftest.py", "tests/cases/test_lists.py"), ["services/cases/holds"]),
        (("tests/visits/holds/test_domain.py",), ["services/cases/holds"]),
    ],
)
def test_a_room_without_tests_is_named(tmp_path: Path, tests: tuple[str, ...], missing: list[str]) -> None:
    write(
        tmp_path, "services/cases/app.py", "services/cases/holds/domain.py", "services/cases/migrations/env.py", *tests
    )
    write(tmp_path, "services/cli/demo/story.py")  # no service
    assert without_tests(tmp_path) == missing
