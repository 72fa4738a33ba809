"""The gateway of the distributed demo: nginx with the same configuration as in compose, on one loopback port."""

import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

from deploy.dev.processes import Child, install, say, temporary_folder

TEMPLATE = Path(__file__).parents[1] / "gateway" / "nginx.conf.template"
HINT = "nginx is needed: install Debian's package nginx-light"
# The demo and the tests send everything from one address: the limits of an address are wide here.
LIMITS = {
    "REQUESTS_PER_SECOND": 10_000,
    "REQUESTS_BURST": 10_000,
    "REQUESTS_AT_ONCE": 1_000,
    "CONNECTIONS_MAX": 8_192,
    "HEADER_SECONDS": 10,
    "BODY_SECONDS": 20,
    "SEND_SECONDS": 30,
    "IDLE_SECONDS": 30,
}


def configuration(names: Mapping[str, object]) -> str:
    """The template with its ${NAMES} filled in; nginx's own $variables stay."""
    return Template(TEMPLATE.read_text()).safe_substitute(names)


@contextmanager
def gateway(port: int, services: Mapping[str, int], *, tls: str = "", **changes: object) -> Iterator[str]:
    """Serve the services (name → port) on one port. Gives the address. `tls` is the text of a TLS file; `changes` are
    values of the template, such as REQUESTS_PER_SECOND."""
    install(["nginx-light"], "nginx", HINT)
    folder = temporary_folder("nginx")
    names = {name.upper(): f"127.0.0.1:{number}" for name, number in services.items()}
    places = {"LISTEN": f"127.0.0.1:{port}", "PID": "nginx.pid", "TEMP": "temp", "TLS": "tls", "ACCESS_LOG": "refused"}
    settings = {**LIMITS, **places, **names, "TRUSTED_PROXY": "unix:", **changes}
    (folder / "nginx.conf").write_text("daemon off;\n" + configuration(settings))
    (folder / "temp").mkdir()
    (folder / "tls").mkdir()
    (folder / "tls" / "tls.conf").write_text(tls)
    as_user = []
    if os.geteuid() == 0:
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
    command = [*as_user, shutil.which("nginx") or "nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    try:
        child = Child(command, log=folder / "log", cwd=folder, signal_to_stop=signal.SIGQUIT)
        try:
            child.wait_ready(lambda: _answers(port), "nginx")
            say(f"nginx is up on port {port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            child.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
