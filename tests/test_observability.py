"""Alert rules by Prometheus's own tool, and a trace from a request to the handler in another service."""

import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import REGISTRY

from deploy.dev.processes import ServerMissing, install
from shared import telemetry
from shared.tracing import valid
from tests.actors.samples import row
from tests.house import running_house
from tests.servers import missing

FOLDER = Path(__file__).parents[1] / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
CASES = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]


@pytest.fixture(scope="session")
def promtool():
    try:
        install(["prometheus"], "promtool", "promtool is needed: install Debian's package prometheus")
    except ServerMissing as error:
        missing(error)
    return shutil.which("promtool")


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]],
    ids=" ".join,
)
def test_promtool_agrees(promtool, what):
    done = subprocess.run([promtool, *what], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def known_metrics():
    names = set()
    for metric in REGISTRY.collect():
        kinds = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
        names |= {metric.name + suffix for suffix in kinds.get(metric.type, ())}
    return names


def test_every_metric_that_a_rule_names_exists():
    assert telemetry.OUTBOX_PENDING
    named = set(re.findall(r"\bdoorstep_\w+", " ".join(rule["expr"] for rule in RULES)))
    assert named
    assert named <= known_metrics()


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    for rule in RULES:
        tests = [test for case in CASES for test in case["alert_rule_test"] if test["alertname"] == rule["alert"]]
        expected = [test["exp_alerts"] for test in tests]
        assert [bool(alerts) for alerts in expected] == [True, False]
        assert rule["annotations"].keys() == {"summary", "what_to_do", "runbook_url"}


def test_every_alert_has_a_section_of_operations_and_names_it():
    page = (FOLDER.parents[1] / "docs" / "operations.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n\n(.+?)(?=\n\n|\Z)", page.partition("\n## Alerts\n")[2], re.M | re.S))
    assert sections.keys() == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert sections[rule["alert"]].startswith(f"({rule['labels']['severity']}) ")
        assert len(sections[rule["alert"]]) > 100


def test_labels_hold_no_personal_data():
    allowed = {"service", "consumer", "client", "type", "result", "method", "route", "status", "code", "limit"}
    for name, metric in vars(telemetry).items():
        if name.isupper() and hasattr(metric, "_labelnames"):
            assert set(metric._labelnames) <= allowed


class Collector(BaseHTTPRequestHandler):
    """Takes spans by OTLP over HTTP."""

    spans: ClassVar[list] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.mark.slow
def test_a_request_is_traced_to_the_handler_in_another_service(tmp_path):
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    trace_id, span_id = "5" * 32, "6" * 16
    try:
        with running_house(tmp_path, DOORSTEP_OTLP_ENDPOINT=endpoint, OTEL_BSP_SCHEDULE_DELAY="100") as house:
            lender = house.lender()
            lender.place(row("A-1"))
            [case] = lender.cases().values()
            hold = {"reason": "DISPUTE_PENDING", "scope": "all", "review_on": "2099-03-20"}
            headers = {"traceparent": f"00-{trace_id}-{span_id}-01"}
            path = f"/cases/v1/cases/{case['id']}/holds"
            house.officer.ask("POST", path, 201, json=hold, headers=headers)
            house.quiet()
    finally:
        server.shutdown()
        server.server_close()
    spans = [span for span in Collector.spans if span.trace_id.hex() == trace_id]
    [request] = [span for span in spans if span.name == "POST /cases/v1/cases/{case_id}/holds"]
    [handler] = [span for span in spans if span.name == "handle doorstep.cases.case-held.v1"]
    assert request.parent_span_id.hex() == span_id
    assert handler.parent_span_id == request.span_id
    told = {pair.key: pair.value.string_value for pair in handler.attributes}
    assert told["doorstep.service"] == "visits"
    assert case["id"] not in str(Collector.spans)


@pytest.mark.parametrize("sent", [None, "", "nonsense", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01"])
def test_a_traceparent_that_is_none_is_passed_over(sent):
    assert valid(sent) is None
