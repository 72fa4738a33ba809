"""What pages tell people to read, run or edit is there: files, links, targets of make, commands, functions."""

import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from checks.mirrors import rooms
from deploy.dev import migration
from services.cli.main import MODULES
from services.embedded import PARTS
from shared.events.registry import EVENTS, owner_of

ROOT = Path(__file__).parents[1]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
COMMANDS = ROOT / "docs" / "commands.md"
FLOW = ROOT / "docs" / "how-a-request-flows.md"
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
READMES = [ROOT / folder / "README.md" for folder in (".", "tests", "deploy", *(f"services/{name}" for name in PARTS))]
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = [*READMES, ROOT / "CONTRIBUTING.md", COMMANDS, FLOW, OPERATIONS, *HOW_TO, *GUIDES]
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PLACE = re.compile(r"(services|shared|tests|docs|checks|deploy)/[\w./*-]*|docker-compose\.yml|pyproject\.toml|Makefile")
IMPORT = re.compile(r"^ *(?:from|import) ([\w.]+)", re.M)
ANY = re.compile(r"\b[A-Z]+\b(?!\.)")  # SERVICE and ROOM are for any
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def spans(page: Path) -> list[str]:
    """The code spans of a page outside of its blocks."""
    return CODE.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.S))


def test_there_is_a_page_for_each_thing_that_is_added_often() -> None:
    added = {"add-a-projection", "add-a-room", "add-a-setting", "add-a-table", "add-an-event"}
    assert added <= {page.stem for page in HOW_TO}
    linked = LINK.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert [page.name for page in HOW_TO if f"docs/how-to/{page.name}" not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    missing = [
        link for link in LINK.findall(page.read_text()) if "://" not in link and not (page.parent / link).exists()
    ]
    for span in spans(page):
        if PLACE.fullmatch(span):
            missing += [] if any(ROOT.glob(ANY.sub("*", span).rstrip("/"))) else [span]
        elif command := re.match(r"make ([a-z-]+)", span):
            missing += [] if command[1] in TARGETS else [span]
        elif command := re.match(r"doorstep ([a-z]+)", span):
            missing += [] if command[1] in MODULES else [span]
        elif command := re.match(r"python -m ([\w.]+)", span):
            missing += [] if find_spec(command[1]) else [span]
    assert missing == []


@pytest.mark.parametrize(("place", "name"), re.findall(r"`([\w/]+\.py)`: `(\w+)`", FLOW.read_text()))
def test_each_step_of_a_request_is_where_the_page_says(place: str, name: str) -> None:
    assert re.search(rf"(def|class) {name}\b", (ROOT / place).read_text())


def test_the_picture_of_a_request_has_each_part_of_the_table() -> None:
    picture = re.search(r"```mermaid\n(.*?)```", FLOW.read_text(), re.S)
    assert picture
    drawn = set(re.findall(r"participant (\w+)", picture[1]))
    steps = re.findall(r"^\| (\w+) \| `", FLOW.read_text(), re.M)
    assert {"door", "transaction", "relay", "bus", "inbox", "trail"} <= drawn & set(steps)


def test_a_migration_of_no_service_says_how_it_is_called(capsys) -> None:
    assert migration.main("nothing", "changes") == 2
    assert "make migration SERVICE=cases|" in capsys.readouterr().err


def imports() -> set[tuple[str, str]]:
    """Which part of the house imports which: services by their names, shared, deploy."""
    found = set()
    for file in (each for top in ("services", "shared", "deploy") for each in (ROOT / top).rglob("*.py")):
        part = part_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
        found |= {(part, part_of(name)) for name in IMPORT.findall(file.read_text())}
    return {(one, other) for one, other in found if one and other and one != other}


def part_of(module: str) -> str:
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "services" else top if top in ("shared", "deploy") else ""


def test_the_drawing_of_the_house_is_what_the_modules_import() -> None:
    drawing = re.search(r"```mermaid\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert drawing
    assert set(re.findall(r"(\w+) --> (\w+)", drawing[1])) == imports()


def test_the_flow_of_events_in_the_drawing_is_what_services_publish_and_handle() -> None:
    classes = {event.__name__: event for event in EVENTS.values()}
    for name, publisher, handler in (
        ("CaseReferred", "cases", "visits"),
        ("VisitCompleted", "visits", "followup"),
        ("PromiseBroken", "followup", "cases"),
    ):
        assert name in (ROOT / "README.md").read_text()
        assert owner_of(classes[name]) == publisher
        assert classes[name] in PARTS[handler].service.handles


@pytest.mark.parametrize("service", PARTS)
def test_a_service_lists_its_rooms_in_the_order_in_which_they_call(service: str) -> None:
    readme = (ROOT / "services" / service / "README.md").read_text()
    listed = re.findall(r"^- `([a-z]+)/`", readme, re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("containers") == [f"services.{service}"]]
    assert set(listed) == {room for of, room in rooms(ROOT) if of == service}
    assert listed == layers[::-1]
