"""The gateway as it runs: a real nginx with the template of compose, before a small server that shows what arrives."""

import json
import os
import shutil
import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.dev.nginx import LIMITS, TEMPLATE, configuration, gateway
from deploy.dev.processes import ServerMissing, free_port, temporary_folder
from shared.private_files import UMASK
from tests.servers import missing
from tests.test_deploy import COMPOSE

pytestmark = pytest.mark.slow
SERVICES = ("cases", "visits", "followup", "audit")
HALF_OPEN = 1_100
UPLOAD_BYTES = 100 * 1024 * 1024
END_SECONDS_MAX = 10.0
REQUEST = b"GET /cases/echo HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that came and the number of bytes; /cases/stream never ends by itself."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.endswith("/stream"):
            self._stream()
        else:
            self._echo(0)

    def do_POST(self):
        left = length = int(self.headers["Content-Length"])
        while left and (part := self.rfile.read(min(left, 1 << 20))):
            left -= len(part)
        if left:
            self.close_connection = True
        else:
            self._echo(length)

    def _echo(self, length):
        body = json.dumps({"headers": dict(self.headers.items()), "bytes": length}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(2):
            self.wfile.write(f"data: {number}\n\n".encode())
            self.wfile.flush()
            self.server.go_on.wait(END_SECONDS_MAX)
        self.close_connection = True

    def log_message(self, *_arguments):
        pass


@pytest.fixture(scope="module")
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.go_on = threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def before(upstream):
    """Starts a gateway before the small server, with changed limits, and files as private as a command makes them."""

    @contextmanager
    def start(**changes):
        port, mask = free_port(), os.umask(UMASK)
        try:
            with gateway(port, dict.fromkeys(SERVICES, upstream.server_port), **changes) as url:
                yield url
        except ServerMissing as error:
            missing(error)
        finally:
            os.umask(mask)

    return start


@pytest.fixture(scope="module")
def url(before):
    """A gateway with short times; its other limits are wide."""
    with before(HEADER_SECONDS=1, BODY_SECONDS=1) as address:
        yield address


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url) as asking:
        yield asking


def port_of(url):
    return httpx.URL(url).port


def send(url, content):
    """Raw bytes to the gateway, and all that it answers until it ends the connection."""
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=END_SECONDS_MAX) as connection:
        connection.sendall(content)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def answer_of(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.lower(), json.loads(body)


def assert_problem(answer, status, code):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert (told["type"], told["title"], told["status"]) == (f"urn:doorstep:problem:{code}", code, status)
    assert told["detail"].endswith(".")


def test_half_open_connections_of_one_address_do_not_stop_the_others(before):
    with before(HEADER_SECONDS=2) as url, ExitStack() as held:
        connections = []
        for _ in range(HALF_OPEN):
            opened = socket.create_connection(("127.0.0.1", port_of(url)), timeout=END_SECONDS_MAX)
            connections.append(held.enter_context(opened))
            opened.sendall(REQUEST)  # but not the empty line that ends the header
        started = time.monotonic()
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert time.monotonic() - started < 0.5
        assert httpx.get(f"{url}/cases/echo").status_code == 200
        for connection in connections:  # the time for a header is over: the gateway ends them all
            assert ended(connection)


def ended(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_too_many_requests_are_429_and_health_is_not_limited(before):
    with before(REQUESTS_PER_SECOND=1, REQUESTS_BURST=2) as url, httpx.Client(base_url=url) as client:
        answers = [client.get("/cases/echo") for _ in range(8)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) >= 4
        for answer in refused:
            assert_problem(answer, 429, "too-many-requests")
            assert answer.headers["retry-after"] == "1"
        assert {client.get(f"/health/{kind}").status_code for kind in ("live", "ready") for _ in range(10)} == {200}


def test_too_many_requests_at_once_are_429(before, upstream):
    with (
        before(REQUESTS_AT_ONCE=1) as url,
        httpx.Client(base_url=url) as client,
        client.stream("GET", "/cases/stream"),
    ):
        assert_problem(client.get("/cases/echo"), 429, "too-many-requests")
        assert client.get("/health/live").status_code == 200


def test_an_event_stream_passes_as_it_comes(client, upstream):
    with client.stream("GET", "/cases/stream") as answer:
        assert next(answer.iter_raw()) == b"data: 0\n\n"  # the rest is not written yet


def test_the_largest_file_passes_and_a_larger_one_is_refused(client, url):
    def parts():
        for _ in range(UPLOAD_BYTES // (1 << 20)):
            yield bytes(1 << 20)

    headers = {"Content-Length": str(UPLOAD_BYTES)}
    assert client.post("/cases/echo", content=parts(), headers=headers, timeout=30).json()["bytes"] == UPLOAD_BYTES
    larger = HTTPConnection("127.0.0.1", port_of(url))
    larger.request("POST", "/cases/echo", headers={"Content-Length": str(UPLOAD_BYTES + (1 << 21))})
    answer = larger.getresponse()
    assert (answer.status, json.load(answer)["title"]) == (413, "too-large")
    larger.close()


def test_a_body_or_a_header_that_stops_is_ended(url):
    for content in (b"POST /cases/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1", REQUEST):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", port_of(url)), timeout=END_SECONDS_MAX) as connection:
            connection.sendall(content)
            assert ended(connection)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad-request"),
        (b"GET /cases/echo HTTP/1.1\r\n\r\n", 400, "bad-request"),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad-request"),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404, "not-found"),
        (b"TRACE /cases/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405, "method-not-allowed"),
        (b"GET /cases/" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "address-too-long"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (b"POST /cases/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not-implemented"),
    ],
    ids=["no-http", "no-host", "options", "nothing-there", "trace", "long-address", "long-header", "encoding"],
)
def test_what_the_gateway_answers_itself_is_a_problem_document(url, content, status, code):
    told, head, problem = answer_of(send(url, content))
    assert (told, problem["status"], problem["title"]) == (status, status, code)
    assert b"content-type: application/problem+json" in head
    assert b"cache-control: no-store" in head
    assert b"x-content-type-options: nosniff" in head


def test_a_service_that_is_away_is_503(before):
    with before(CASES=f"127.0.0.1:{free_port()}") as url:
        answer = httpx.get(f"{url}/cases/echo")
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"


def reached(client, **headers):
    """The headers that reach a service, in small letters."""
    told = client.get("/cases/echo", headers=headers).json()["headers"]
    return {name.lower(): value for name, value in told.items()}


def test_a_client_cannot_name_another_address(client):
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    told = reached(client, **forged, **{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert "203.0.113.9" not in str(told)
    assert "evil.example" not in str(told)


def test_behind_a_proxy_of_ours_the_last_address_that_it_names_counts(before):
    with before(TRUSTED_PROXY="127.0.0.1") as url, httpx.Client(base_url=url) as client:
        told = reached(client, **{"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
        assert told["x-forwarded-for"] == "198.51.100.7"


@pytest.mark.parametrize("sent", ["run-7.a_B", "a" * 64])
def test_a_well_formed_request_id_is_passed_on(client, sent):
    assert reached(client, **{"X-Request-Id": sent})["x-request-id"] == sent
    assert client.get("/nothing", headers={"X-Request-Id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "two words", "a" * 65, '"', "ü".encode()])
def test_another_request_id_is_not_passed_on(client, sent):
    assert "x-request-id" not in reached(client, **{"X-Request-Id": sent})
    assert "x-request-id" not in client.get("/nothing", headers={"X-Request-Id": sent}).headers


@pytest.fixture
def open_folder():
    """A folder that nginx's own user can read; those of pytest are their owner's alone."""
    folder = temporary_folder("tls")
    yield folder
    shutil.rmtree(folder)


def test_tls_ends_at_the_gateway_where_it_has_a_certificate(before, open_folder):
    port = free_port()
    certificate, key = self_signed(open_folder)
    tls = f"listen 127.0.0.1:{port} ssl;\nssl_certificate {certificate};\nssl_certificate_key {key};\n"
    trusted = ssl.create_default_context(cafile=certificate)
    with before(tls=tls), httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted) as client:
        assert reached(client)["x-forwarded-proto"] == "https"


def self_signed(folder):
    """A certificate of an hour for 127.0.0.1, and its key, where nginx's own user can read them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    files = [folder / "tls.pem", folder / "tls.key"]
    files[0].write_bytes(certificate.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    for path in files:
        path.chmod(0o644)
    return files


def test_compose_fills_in_every_name_of_the_template():
    given = COMPOSE["services"]["gateway"]["environment"]
    filled = configuration(dict.fromkeys(given, "x"))
    assert "${" not in "\n".join(line for line in filled.splitlines() if not line.startswith("#"))
    assert set(LIMITS) <= set(given)
    assert TEMPLATE.name in str(COMPOSE["services"]["gateway"]["volumes"])
