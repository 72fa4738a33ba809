"""`doorstep plan`, run as a user runs it, on files that the test writes and on one of the literature."""

import json
import re
import subprocess
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from services.cli.demo.systems import doorstep
from services.visits.routing.day import DayInvalid, check_day
from services.visits.routing.instances import read_field, read_vrptw
from services.visits.routing.map import WIDTH, Line, Picture, Pin, page
from tests.visits.routing.days import SHIFT, table

DATA = Path(__file__).parents[4] / "shared/data"
FIELD: dict[str, Any] = {
    "name": "small",
    "locs": [[25.03, 121.51], [25.04, 121.52], [25.05, 121.53]],
    "M": table([(0, 0), (30, 10), (10, 60)]),
    "teams": [{"id": 0, "start": 0, "end": 0, "tw": list(SHIFT), "brk": None, "skills": [1], "max_tasks": 5}],
    "visits": [
        {"id": 0, "loc": 1, "tw": list(SHIFT), "service": 600, "prize": 5000, "skills": []},
        {"id": 1, "loc": 2, "tw": list(SHIFT), "service": 600, "prize": 10, "skills": []},
        {"id": 2, "loc": 2, "tw": list(SHIFT), "service": 600, "prize": 5000, "skills": [2]},
    ],
}
SOLOMON = """C1

VEHICLE
NUMBER     CAPACITY
  2         200

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0         0          0          0       1000          0
    1      3         4         10          0       1000         10
    2      6         8         10          0       1000         10
"""


def plan(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = doorstep("plan", *map(str, arguments))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def written(folder: Path, document: object) -> Path:
    path = folder / "day.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_a_day_from_a_file_with_reasons_a_map_and_the_checkers_verdict(tmp_path):
    done = plan("--instance", written(tmp_path, FIELD), "--iterations", "20", "--json", "--html", tmp_path / "map.html")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["routes"] == {"0": ["0"]}
    assert {each["visit"]: each["reason"] for each in report["left_out"]} == {
        "1": "not-worth-the-travel",
        "2": "no-team-with-the-skill",
    }
    assert (report["travel"], report["prizes_lost"], report["cost"]) == (800, 5010, 5810)
    assert report["checker"] == {"ok": True, "errors": []}
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<polyline" in page
    assert "http" not in page, "the map needs nothing from outside"
    words = plan("--instance", written(tmp_path, FIELD), "--iterations", "20")
    assert "The checker found nothing wrong." in words.stdout
    assert "No team of this day has the skill" in words.stdout


def test_the_same_seed_gives_the_same_plan(tmp_path):
    path = written(tmp_path, FIELD)
    first, second = (json.loads(plan("--instance", path, "--iterations", "30", "--json").stdout) for _ in range(2))
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_a_solomon_file_counts_in_its_own_units(tmp_path):
    path = tmp_path / "C1.txt"
    path.write_text(SOLOMON)
    report = json.loads(plan("--vrptw", path, "--iterations", "20", "--json").stdout)
    assert report["travel"] == 20.0
    assert sorted(visit for route in report["routes"].values() for visit in route) == ["1", "2"]
    assert "gap_percent" not in report


def test_a_required_visit_that_fits_nowhere_fails_the_check(tmp_path):
    path = tmp_path / "C1.txt"
    path.write_text(SOLOMON.replace("2      6         8 ", "2   9000         8 "))
    done = plan("--vrptw", path, "--iterations", "20", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["checker"]["errors"] == ["visit 2 must be made and is not"]
    (tmp_path / "C1.sol").write_text("Cost 30")
    assert "gap_percent" not in json.loads(plan("--vrptw", path, "--iterations", "20", "--json").stdout)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "no JSON"),
        (FIELD | {"M": [[0, 1]]}, "not square"),
        (FIELD | {"visits": [{"id": 1, "loc": 1, "tw": ["x", 2], "service": 1}]}, r"visits\.0\.tw\.0"),
        ("[]", "a JSON object with teams"),
        ("null", "a JSON object with teams"),
        ("[" * 100_000, "no JSON"),
        (
            FIELD | {"M": [[0, 5, 5], [5, 7, 5], [5, 5, 0]], "name": "diagonal"},
            "place 1: The way from a place to itself",
        ),
        (FIELD | {"locs": FIELD["locs"][:2]}, "2 positions, but 3 places"),
        (FIELD | {"locs": [[25.03, 121.51], [950, 121.52], [25.05, 121.53]]}, r"locs\.1\.0"),
        (FIELD | {"locs": [[25.03, 121.51], [float("nan"), 121.52], [25.05, 121.53]]}, "no JSON"),
        (FIELD | {"visits": FIELD["visits"] * 700}, "2100 visits are too many"),
        (FIELD | {"visits": [{"id": 1, "loc": -1, "tw": [1, 2], "service": 1}]}, r"visits\.0\.loc"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(tmp_path, document, words):
    with pytest.raises(DayInvalid, match=words):
        check_day(read_field(written(tmp_path, document)).day)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1      3 ", "1    nan ", "line 11: “nan” must be a whole number"),
        ("1      3 ", "1    3.5 ", "line 11: “3.5” must be a whole number"),
        ("  1000         10\n    2", "  1000       10.5\n    2", "line 11: “10.5”"),
        ("  2         200", "  2         200.5", "no VRPTW file"),
    ],
)
def test_a_vrptw_file_is_not_guessed_at(tmp_path, old, new, words):
    path = tmp_path / "C1.txt"
    assert old in SOLOMON
    path.write_text(SOLOMON.replace(old, new))
    with pytest.raises(DayInvalid, match=words):
        read_vrptw(path)


def test_a_file_with_too_many_clients_is_refused_before_its_ways_are_reckoned(tmp_path):
    path = tmp_path / "C1.txt"
    for clients, words in ((8_000, "7999 visits are too many.* into 4"), (100_000, "split the area")):
        rows = "".join(f"{number} 1 1 1 0 1000 10\n" for number in range(clients))
        path.write_text(SOLOMON.partition("    0      0")[0] + rows)
        started = perf_counter()
        with pytest.raises(DayInvalid, match=words):
            read_vrptw(path)
        assert perf_counter() - started < 1


@pytest.mark.parametrize("solution", ["", "noise", "Route #1: x", "Cost 0", "Cost nan", "Cost x"])
def test_a_solution_that_tells_no_cost_is_no_best_known(tmp_path, solution):
    (tmp_path / "C1.txt").write_text(SOLOMON)
    (tmp_path / "C1.sol").write_text(solution)
    assert read_vrptw(tmp_path / "C1.txt").best_known is None


def test_a_map_that_cannot_be_is_refused_before_the_search(tmp_path):
    search = ("--iterations", "5000000")
    bare = plan("--instance", written(tmp_path, {**FIELD, "locs": []}), *search, "--html", tmp_path / "map.html")
    assert bare.returncode == 2
    assert "A map needs positions" in bare.stderr
    for html in (tmp_path, tmp_path / "nowhere/map.html"):
        done = plan("--instance", written(tmp_path, FIELD), *search, "--html", html)
        assert done.returncode == 3
        assert "No map can be written" in done.stderr


def test_an_id_that_looks_like_markup_is_printed_as_it_is_and_a_place_in_the_sea_is_told(tmp_path):
    visits = [{**FIELD["visits"][0], "id": "[/x2]"}, *FIELD["visits"][1:]]
    day = {**FIELD, "visits": visits, "locs": [[0, 0], *FIELD["locs"][1:]]}
    done = plan("--instance", written(tmp_path, day), "--iterations", "20")
    assert done.returncode == 0, done.stderr
    assert "[/x2]" in done.stdout
    assert "A position is 0,0" in done.stderr


def test_every_team_of_a_map_has_its_colour_and_the_picture_stands_in_the_middle():
    stops = (Pin((25.0, 121.5), "a"), Pin((25.2, 121.5), "b"))
    lines = tuple(Line(f"t{number}", (25.1, 121.5), stops, (25.1, 121.5)) for number in range(40))
    drawn = page(Picture("map", lines))
    assert len(set(re.findall(r'stroke="(hsl[^"]+)"', drawn))) == 40
    assert {x for x, _ in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawn)} == {str(WIDTH / 2)}


def test_what_is_wrong_is_said_on_standard_error_with_its_own_status(tmp_path):
    done = plan("--instance", written(tmp_path, FIELD | {"teams": []}), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no team to plan for" in done.stderr
    assert plan().returncode == 2
    assert plan("--instance", tmp_path / "none.json").returncode == 3
    (tmp_path / "noise.vrp").write_bytes(b"\xff\x00noise")
    assert plan("--vrptw", tmp_path / "noise.vrp").returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real data is not beside this checkout")
def test_an_instance_of_the_literature_comes_near_the_best_known():
    report = json.loads(plan("--vrptw", DATA / "vrptw/C101.vrp", "--iterations", "300", "--json").stdout)
    assert report["checker"]["ok"]
    assert 0 <= report["gap_percent"] <= 2
