"""Travel times: the beeline against distances that are known, and a server of the tests that speaks OSRM's table API
over real HTTP: in blocks, remembered, and replaced by the beeline where it is slow, broken or knows no way."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.visits.candidates.travel import PLACES_PER_QUESTION, STREETS_PER_BEELINE, Beeline, Osrm, travel_times
from services.visits.settings import VisitsSettings

TAIPEI, KAOHSIUNG = (25.0478, 121.5170), (22.6394, 120.3025)
LONDON, NEW_YORK = (51.5074, -0.1278), (40.7128, -74.0060)


@pytest.mark.parametrize(
    ("here", "there", "kilometres"),
    [(TAIPEI, KAOHSIUNG, 295.0), (LONDON, NEW_YORK, 5570.2), ((0, 0), (0, 180), 20_015.1), (TAIPEI, TAIPEI, 0)],
)
async def test_the_beeline_is_the_great_circle_times_what_streets_are_longer(here, there, kilometres):
    table = await Beeline(20).table([here, there])
    assert table.metres[0][1] == pytest.approx(kilometres * 1000 * STREETS_PER_BEELINE, rel=0.002)
    assert table.seconds[0][1] == pytest.approx(table.metres[0][1] * 3.6 / 20, abs=1)
    assert (table.metres[0][0], table.seconds[1][1], table.source) == (0, 0, "beeline")
    assert table.metres[0][1] == table.metres[1][0]


async def test_the_speed_is_the_areas_or_its_countrys(tmp_path):
    settings = VisitsSettings(data_dir=tmp_path, travel_speeds_kmh={"us": 40, "us-ma": 30})
    speeds = {}
    for area in ("tw", "us", "us-ma", "us-ny", ""):
        table = await travel_times(settings, area).table([TAIPEI, KAOHSIUNG])
        speeds[area] = round(table.metres[0][1] * 3.6 / table.seconds[0][1])
    assert speeds == {"tw": 20, "us": 40, "us-ma": 30, "us-ny": 40, "": 20}


class TableServer(ThreadingHTTPServer):
    """OSRM's table service as it is shipped: at most 100 coordinates a question, longitude before latitude. The way
    takes a second for each 0.001 degree of latitude, and is ten metres for it."""

    questions = 0
    delay_seconds = 0.0
    without_way = False
    status = 200
    durations: object = None


class _Table(BaseHTTPRequestHandler):
    server: TableServer

    def do_GET(self) -> None:
        server = self.server
        server.questions += 1
        time.sleep(server.delay_seconds)
        path, _, query = self.path.partition("?")
        options = dict(pair.split("=") for pair in query.split("&"))
        latitudes = [float(pair.split(",")[1]) for pair in path.rpartition("/")[2].split(";")]
        sources, targets = (
            [int(at) for at in options[name].replace("%3B", ";").split(";")] for name in ("sources", "destinations")
        )
        ways = [[abs(latitudes[a] - latitudes[b]) * 1000 for b in targets] for a in sources]
        if server.without_way:
            ways[0][-1] = None
        metres = [[None if way is None else way * 10 for way in row] for row in ways]
        if len(latitudes) > PLACES_PER_QUESTION:
            answer, status = {"code": "TooBig"}, 400
        else:
            durations = server.durations if server.durations is not None else ways
            answer, status = {"code": "Ok", "durations": durations, "distances": metres}, server.status
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[TableServer]:
    with TableServer(("127.0.0.1", 0), _Table) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def osrm(server: TableServer, timeout_seconds: float = 10) -> Osrm:
    url = f"http://127.0.0.1:{server.server_port}/"
    return Osrm(url, timeout_seconds=timeout_seconds, fallback=Beeline(20))


def street(count: int) -> list[tuple[float, float]]:
    return [(25 + n / 1000, 121.5) for n in range(count)]


async def test_more_places_than_fit_one_question_are_asked_in_blocks_and_remembered(server):
    places, asked = street(120), osrm(server)
    table = await asked.table(places)
    assert table.source == "osrm"
    assert all(table.seconds[a][b] == abs(a - b) for a in range(120) for b in range(120))
    assert all(table.metres[a][b] == abs(a - b) * 10 for a in range(120) for b in range(120))
    assert server.questions == 9
    assert await asked.table(places) is table
    assert server.questions == 9


@pytest.mark.parametrize("trouble", ["slow", "broken", "no way", "away"])
async def test_the_beeline_stands_in_and_is_named(server, trouble):
    asked = osrm(server, timeout_seconds=0.3)
    if trouble == "slow":
        server.delay_seconds = 1
    elif trouble == "broken":
        server.status = 500
    elif trouble == "no way":
        server.without_way = True
    else:
        asked = Osrm("http://127.0.0.1:9", timeout_seconds=0.3, fallback=Beeline(20))
    started = time.monotonic()
    table = await asked.table(street(3))
    assert time.monotonic() - started < 1
    assert table.source == "beeline (osrm did not answer)"
    assert table.seconds == (await Beeline(20).table(street(3))).seconds


@pytest.mark.parametrize(
    "durations", [[[0, 1]], [], [[0, 1, 1], [1, 0, 1], [1, 1, float("inf")]], [[0, -1, 1]] * 3, [["a"] * 3] * 3, {}, 7]
)
async def test_what_is_no_table_of_ways_is_not_believed(server, durations):
    server.durations = durations
    assert (await osrm(server).table(street(3))).source == "beeline (osrm did not answer)"


async def test_a_server_that_comes_back_is_asked_again(server):
    server.status = 500
    asked = osrm(server)
    assert (await asked.table(street(3))).source != "osrm"
    server.status = 200
    assert (await asked.table(street(3))).source == "osrm"
