"""Each room has tests that mirror it. Run by `make check`: `python -m checks.mirrors`.

The tests of `services/SERVICE/ROOM` are the files `tests/SERVICE/test_ROOM*.py`, or those of the folder
`tests/SERVICE/ROOM`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NO_ROOMS = {"migrations", "__pycache__"}


def rooms(root: Path) -> Iterator[tuple[str, str]]:
    """Service and name of each room: a folder with modules in a service that has an app."""
    for app in sorted(root.glob("services/*/app.py")):
        for folder in sorted(each for each in app.parent.iterdir() if each.is_dir()):
            if folder.name not in NO_ROOMS and any(folder.glob("*.py")):
                yield app.parent.name, folder.name


def without_tests(root: Path) -> list[str]:
    """The rooms that no test file mirrors, each as its path."""
    missing = []
    for service, room in rooms(root):
        tests = root / "tests" / service
        if not (any(tests.glob(f"test_{room}*.py")) or any((tests / room).glob("test_*.py"))):
            missing.append(f"services/{service}/{room}")
    return missing


def main() -> int:
    missing = without_tests(ROOT)
    for room in missing:
        service, name = room.split("/")[1:]
        print(f"{room} has no tests: write tests/{service}/{name}/test_….py", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
