"""A day plan as a supervisor works with it: asked for, watched, looked at, changed by hand, published, and made anew
when a team falls ill. Over HTTP, with the planner's process behind it."""

import json
from datetime import datetime, timedelta

import pytest

from services.cli.demo import acts
from shared.auth import Role
from shared.ids import new_id
from tests.actors.samples import MONDAY, at, row
from tests.house import running_house

QUICK = {"iterations": 200, "shift": {"start": "09:00", "end": "18:00"}}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house of its own at eight on Monday, in Taipei."""
    with running_house(tmp_path_factory.mktemp("plans"), at(MONDAY, 8)) as running:
        yield running


@pytest.fixture
def day(house):
    """Eight doors around the town and two teams; what earlier tests left wanted is held."""
    for case in house.supervisor.every("/cases/v1/cases", referred="true"):
        house.officer.does(acts.place_hold(case["id"], "LENDER_INSTRUCTION", "2026-12-01"))
    lender = house.lender()
    lender.place(*(row(f"A-{n}", balance=250_000 + n, lat=f"25.0{n}", lon=f"121.5{n}") for n in range(1, 9)))
    cases = list(lender.cases().values())
    house.verify_addresses(cases)
    house.quiet()
    return cases, [house.team(), house.team()]


def asked(house, teams, **body):
    """Ask for a plan and wait until it is no longer a draft."""
    return house.planned(QUICK | {"day": str(MONDAY), "team_ids": [team.id for team in teams]} | body)


def routes_of(house, plan):
    return house.supervisor.get(f"/visits/v1/day-plans/{plan['id']}/routes")["items"]


def stops_of(house, plan):
    return {stop["case_id"]: (route["team_id"], stop) for route in routes_of(house, plan) for stop in route["stops"]}


def test_what_happened_is_still_known_when_the_day_is_planned_anew_again(house, day):
    _, teams = day
    plan = asked(house, teams)
    mine = {case_id: team_id for case_id, (team_id, _) in stops_of(house, plan).items()}
    gone, urgent = sorted(mine)[:2]
    late = teams[0].id
    first = {"no_show_case_ids": [gone], "late": [{"team_id": late, "minutes": 120}], "iterations": 100}
    again = house.planned(first, replaces=plan["id"])
    once_more = {"urgent_case_ids": [urgent], "iterations": 100}
    newest = house.planned(once_more, replaces=again["id"])
    assert (newest["status"], newest["problem"]) == ("PUBLISHED", None)
    stops = stops_of(house, newest)
    assert gone not in stops
    assert urgent in stops
    [left] = [
        each
        for each in house.supervisor.every(f"/visits/v1/day-plans/{newest['id']}/left-out")
        if each["case_id"] == gone
    ]
    assert (left["reason"], left["zh"]) == ("debtor-not-there", "債務人當日不在。")
    free = datetime.fromisoformat(at(MONDAY, 11))
    starts = [datetime.fromisoformat(stop["start"]) for team_id, stop in stops.values() if team_id == late]
    assert all(start >= free for start in starts)


def test_a_plan_is_solved_looked_at_changed_and_published(house, day):
    cases, teams = day
    plan = asked(house, teams, publish=False)
    assert (plan["status"], plan["visits"], plan["travel_source"]) == ("SOLVED", 8, "beeline")
    assert house.visits_of(plan) == []
    stops = stops_of(house, plan)
    assert set(stops) == {case["id"] for case in cases}
    for team_id, stop in stops.values():
        assert team_id in {team.id for team in teams}
        start, end = datetime.fromisoformat(stop["start"]), datetime.fromisoformat(stop["end"])
        assert any(datetime.fromisoformat(a) <= start and end <= datetime.fromisoformat(b) for a, b in stop["windows"])
        prize = stop["prize"]
        assert prize["seconds"] == int(float(prize["stake"]) * float(prize["chance"]) * 3600 / 1500)
    path = f"/visits/v1/day-plans/{plan['id']}"
    moved = cases[0]["id"]
    seen = house.supervisor.ask("GET", path).headers["etag"]
    off = house.supervisor.ask("POST", f"{path}/move", 200, headers={"If-Match": seen}, json={"case_id": moved})
    assert (off.json()["removed"], "1 taken off" in off.json()["en"]) == ([moved], True)
    stale = house.supervisor.ask("POST", f"{path}/move", 412, headers={"If-Match": seen}, json={"case_id": moved})
    assert stale.json()["title"] == "version"
    [left] = [each for each in house.supervisor.every(f"{path}/left-out") if each["case_id"] == moved]
    assert (left["reason"], left["zh"]) == ("taken-off-by-hand", "由主管自行程移除。")
    back = house.supervisor.post(f"{path}/move", {"case_id": moved, "team_id": teams[1].id, "position": 0})
    assert back["added"] == [moved]
    assert stops_of(house, plan)[moved][0] == teams[1].id
    published = house.supervisor.post(f"{path}/publish")
    assert (published["status"], published["visits"]) == ("PUBLISHED", 8)
    visits = {visit["case_id"]: visit for visit in house.visits_of(plan)}
    assert visits[moved]["team_id"] == teams[1].id
    what = [each["what"] for each in house.supervisor.get(f"{path}/revisions")["items"]]
    assert what == ["solved", "moved", "moved", "published"]
    assert house.supervisor.post(f"{path}/freeze")["status"] == "FROZEN"
    house.supervisor.post(f"{path}/replan", {}, expect=409)
    house.supervisor.post(f"{path}/move", {"case_id": moved}, expect=409)


def test_a_move_that_breaks_a_rule_says_which(house, day):
    cases, teams = day
    plan = asked(house, teams, publish=False, visits_per_team_max=4)
    path = f"/visits/v1/day-plans/{plan['id']}/move"
    stops = stops_of(house, plan)
    full = next(case_id for case_id, (team_id, _) in stops.items() if team_id == teams[0].id)
    problem = house.supervisor.post(path, {"case_id": full, "team_id": teams[1].id}, expect=409)
    assert (problem["title"], "cap" in problem["detail"]) == ("move-not-possible", True)
    house.supervisor.post(path, {"case_id": str(new_id())}, expect=404)
    house.supervisor.post(path, {"case_id": full, "team_id": str(new_id())}, expect=404)
    house.supervisor.post(f"/visits/v1/day-plans/{plan['id']}/cancel")
    assert cases


def test_two_planners_at_once_are_told_of_each_other(house, day):
    cases, teams = day
    first = asked(house, teams, publish=False)
    second = asked(house, teams)
    assert second["status"] == "PUBLISHED"
    problem = house.supervisor.post(f"/visits/v1/day-plans/{first['id']}/publish", expect=409)
    assert problem["title"] == "team-has-a-plan"
    lender = house.lender()
    lender.place(row("S-1", balance=100))
    [small] = lender.cases().values()
    house.quiet()
    third = asked(house, teams, priority_case_ids=[cases[0]["id"], small["id"]])
    assert third["visits"] == 0
    left = house.supervisor.every(f"/visits/v1/day-plans/{third['id']}/left-out")
    reasons = {each["case_id"]: each["reason"] for each in left}
    assert (reasons[cases[0]["id"]], reasons[small["id"]]) == ("on-another-plan", "not-wanted")


def test_a_team_falls_ill_and_the_day_is_planned_anew(house, day):
    cases, teams = day
    old = asked(house, teams)
    before = stops_of(house, old)
    ill = teams[0]
    assert any(team_id == ill.id for team_id, _ in before.values())
    path = f"/visits/v1/day-plans/{old['id']}/replan"
    wish = {"ill_team_ids": [ill.id], "iterations": 200}
    house.supervisor.post(path, wish | {"ill_team_ids": [team.id for team in teams]}, expect=422)
    new = house.planned(wish, replaces=old["id"])
    assert (new["status"], new["replaces"]) == ("PUBLISHED", old["id"])
    changes = new["changes"]
    moved = {case_id for case_id, (team_id, _) in before.items() if team_id == ill.id}
    assert set(changes["other_team"]) | set(changes["removed"]) == moved
    assert "another team" in changes["en"]
    assert "改派" in changes["zh"]
    after = {visit["case_id"]: visit for visit in house.visits_of(new) if visit["status"] == "PLANNED"}
    assert {visit["team_id"] for visit in after.values()} == {teams[1].id}
    assert house.supervisor.get(f"/visits/v1/day-plans/{old['id']}")["status"] == "SUPERSEDED"
    house.supervisor.post(path, wish, expect=409)
    assert len(after) == len(cases)


def test_what_is_under_way_stays_and_an_urgent_case_comes_in(house, day):
    cases, teams = day
    team = teams[0]
    old = asked(house, [team])
    first = min(house.visits_of(old), key=lambda visit: visit["place_in_route"])
    house.supervisor.post(f"/visits/v1/visits/{first['id']}/dispatch")
    lender = house.lender()
    lender.place(row("U-1", balance=260_000, lat="25.011", lon="121.512"))
    [urgent] = lender.cases().values()
    house.verify_addresses([urgent])
    house.quiet()
    wish = {"urgent_case_ids": [urgent["id"]], "late": [{"team_id": team.id, "minutes": 30}], "iterations": 200}
    new = house.planned(wish, replaces=old["id"])
    assert new["status"] == "PUBLISHED", new
    after = stops_of(house, new)
    assert urgent["id"] in after
    assert first["case_id"] not in after
    assert house.supervisor.get(f"/visits/v1/visits/{first['id']}")["status"] == "DISPATCHED"
    free = datetime.fromisoformat(first["window_end"]) + timedelta(minutes=30)
    assert all(datetime.fromisoformat(stop["start"]) >= free for _, stop in after.values())
    assert cases


def test_the_solving_is_watched_as_events_and_can_be_cancelled(house, day):
    _, teams = day
    wish = {"day": str(MONDAY), "team_ids": [team.id for team in teams], "seconds": 60, "iterations": 900_000}
    plan = house.supervisor.post("/visits/v1/day-plans", wish, expect=202)
    path = f"/visits/v1/day-plans/{plan['id']}"
    with house.client.stream("GET", f"{path}/progress", headers=house.supervisor.headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = events_of(stream.iter_lines())
        kind, number, data = next(events)
        assert (kind, number >= 1, data["cost"] > 0) == ("progress", True, True)
        assert house.supervisor.post(f"{path}/cancel")["status"] == "CANCELLED"
        *_, (kind, number, data) = events
        assert (kind, data["status"]) == ("done", "CANCELLED")
    headers = house.supervisor.headers | {"Last-Event-ID": str(number)}
    with house.client.stream("GET", f"{path}/progress", headers=headers) as stream:
        assert [kind for kind, *_ in events_of(stream.iter_lines())] == ["done"]
    house.supervisor.post(f"{path}/publish", expect=409)
    house.supervisor.get(f"/visits/v1/day-plans/{new_id()}/progress", expect=404)
    far = house.supervisor.headers | {"Last-Event-ID": str(10**20)}
    assert house.client.get(f"{path}/progress", headers=far).status_code == 422


def events_of(lines):
    """Server-sent events as (event, id, data)."""
    fields = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["event"], int(fields["id"]), json.loads(fields["data"])
            fields = {}


def readings(house, subject):
    """What the trail says that this supervisor has read of debtors' data."""
    house.quiet()
    found = house.officer.every("/audit/v1/entries", log="access", actor=f"supervisor:{subject}")
    return [each["leaf"] for each in found if each["leaf"]["type"] == "doorstep.cases.dossier-read.v1"]


def test_the_map_names_nobody_and_the_sheet_is_for_its_team(house, day):
    cases, teams = day
    plan = asked(house, teams)
    path = f"/visits/v1/day-plans/{plan['id']}"
    page = house.supervisor.ask("GET", f"{path}/map").text
    assert "<polyline" in page
    assert "王小明" not in page
    features = house.supervisor.get(f"{path}/geojson")["features"]
    assert sum(feature["geometry"]["type"] == "Point" for feature in features) == 8
    assert "王小明" not in json.dumps(features, ensure_ascii=False)
    assert len(readings(house, "curious")) == 0
    house.caller(Role.SUPERVISOR, subject="curious").ask("GET", f"{path}/map")
    [read] = readings(house, "curious")
    assert {case["id"] for case in cases} & set(read["data"]["case_ids"])
    team = next(team for team in teams if team.id in {team_id for team_id, _ in stops_of(house, plan).values()})
    sheet = f"{path}/teams/{team.id}/sheet"
    text = house.supervisor.ask("GET", sheet).text
    assert "王小明" in text
    assert "外訪行程單" in text
    assert "authorisation" in text
    assert team.collectors[0].ask("GET", sheet).text == text
    house.caller(Role.COLLECTOR, subject=str(new_id())).get(sheet, expect=404)
    house.officer.get(sheet, expect=403)
    house.caller(Role.LENDER, lender=cases[0]["lender_id"]).get(sheet, expect=404)
    house.quiet()
    reads = house.officer.every("/audit/v1/entries", log="access", type="doorstep.cases.dossier-read.v1")
    readers = {(entry["leaf"]["actor"]["kind"], entry["leaf"]["data"]["reason"]) for entry in reads}
    assert {("supervisor", "VISIT"), ("collector", "VISIT")} <= readers


@pytest.fixture(scope="module")
def team(house):
    return house.team()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"depot": {"latitude": 0, "longitude": 0}}, 422),
        ({"teams": [{"team_id": str(new_id())}]}, 422),
        ({"team_ids": []}, 422),
        ({"shift": {"start": "18:00", "end": "09:00"}}, 422),
        ({"depot": {"latitude": 91, "longitude": 0}}, 422),
        ({"seconds": 0}, 422),
        ({"priority_case_ids": [str(new_id())]}, 404),
        ({"visits_per_team_max": -1}, 422),
        ({"shift": {"start": "09:00", "end": "10:00"}, "rest": {"earliest": "09:00", "minutes": 120}}, 422),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(house, team, body, status):
    wish = QUICK | {"day": str(MONDAY), "team_ids": [team.id]} | body
    problem = house.supervisor.post("/visits/v1/day-plans", wish, expect=status)
    assert problem["detail"] or problem["errors"]


def test_only_supervisors_plan(house, day):
    _, teams = day
    plan = asked(house, teams, publish=False)
    path = f"/visits/v1/day-plans/{plan['id']}"
    for caller, status in (
        (house.officer, 403),
        (teams[0].collectors[0], 403),
        (house.caller(Role.LENDER, lender="lender-9"), 404),
    ):
        for verb in ("publish", "freeze", "cancel", "move", "replan"):
            caller.post(f"{path}/{verb}", {"case_id": str(new_id())}, expect=status)
        caller.get(f"{path}/map", expect=status)
