"""The doors over real sockets, on a running house: slow, half-open, large or odd requests stop no other caller."""

import socket
import time
from contextlib import ExitStack

import pytest

from shared.auth import Role
from tests.actors.samples import row
from tests.house import PATIENCE_SECONDS, House

HALF_OPEN = 1_000
LARGE_BYTES = 30 * 1024 * 1024


def connected(house: House) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(house.url.rstrip("/").rpartition(":")[2])), timeout=10)


def head(method: str, path: str, token: str | None = None, **headers: str) -> bytes:
    more = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    more += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: doorstep", *more, "", ""]).encode()


def status_of(line: socket.socket) -> int:
    return int(line.recv(65_536).split(b" ", 2)[1])


def logged(house: House, request_id: str) -> tuple[str, str]:
    """The whole log and the line of a request: it is written after the answer."""
    for _ in range(PATIENCE_SECONDS * 100):
        log = (house.data / "up.log").read_text()
        lines = [line for line in log.splitlines() if request_id in line]
        if lines:
            assert len(lines) == 1
            return log, lines[0]
        time.sleep(0.01)
    raise AssertionError(f"the log has no line of {request_id}")


def test_a_lender_that_sends_one_byte_of_a_hundred_stops_no_write(house):
    lender = house.lender()
    token = house.token(Role.LENDER, lender=lender.id)
    path = f"/cases/v1/lenders/{lender.id}/profile"
    with connected(house) as slow:
        slow.sendall(head("PUT", path, token, Content_Type="application/json", Content_Length="100") + b"{")
        started = time.monotonic()
        other = house.lender()
        assert other.place(row("S-1"))["status"] == "DONE"
        assert time.monotonic() - started < 10
        assert house.client.get("/health/ready").status_code == 200
        slow.sendall(b" " * 99)
        assert status_of(slow) == 422


def test_a_thousand_half_open_requests_leave_the_house_quick(house):
    with ExitStack() as stack:
        for _ in range(HALF_OPEN):
            line = stack.enter_context(connected(house))
            line.sendall(b"GET /cases/v1/cases HTTP/1.1\r\nHost:")
        with connected(house) as quick:
            started = time.monotonic()
            quick.sendall(head("GET", "/health/live"))
            assert status_of(quick) == 200
            assert time.monotonic() - started < 0.5
        house.supervisor.get("/cases/v1/cases", limit=1)


def test_thirty_megabytes_without_a_token_are_refused_at_once(house):
    with connected(house) as line:
        started = time.monotonic()
        line.sendall(
            head("POST", "/cases/v1/payments", Content_Type="application/json", Content_Length=str(LARGE_BYTES))
        )
        assert status_of(line) == 401
        assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"OPTIONS * HTTP/1.1\r\nHost: doorstep\r\n\r\n", 404),
        (head("GET", "/nothing"), 404),
        (head("GET", "//"), 404),
        (head("GET", "/?lender=south"), 422),
        (head("GET", "/%00%ff"), 404),
        (head("GET", "/cases/v1/cases/%00"), 401),
        (head("GET", "/cases/" + "a" * 3_000), 414),
    ],
)
def test_odd_addresses_are_problem_documents(house, sent, status):
    with connected(house) as line:
        line.sendall(sent)
        answer = line.recv(65_536)
    assert int(answer.split(b" ", 2)[1]) == status
    assert b"application/problem+json" in answer
    assert b"x-correlation-id" in answer


def test_the_access_log_names_subject_route_and_our_id_and_no_address(house):
    lender = house.lender()
    lender.place(row("L-1", name="林美麗"))
    case = next(iter(lender.cases().values()))
    caller = house.caller(Role.SUPERVISOR, subject="ann@bank.example")
    answer = caller.ask("GET", f"/cases/v1/cases/{case['id']}", headers={"X-Request-Id": "mine-1"})
    log, line = logged(house, answer.headers["x-correlation-id"])
    assert '"route": "/cases/v1/cases/{case_id}"' in line
    assert '"client_request_id": "mine-1"' in line
    assert '"subject": "~' in line
    assert case["id"] not in line
    assert "ann@bank.example" not in log
    assert "林美麗" not in log
