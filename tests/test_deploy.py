"""What is deployed fits the code: settings exist, compose reads its file, no file names a registry or this machine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.generate import SETTINGS_TABLE, settings_table
from services.embedded import PARTS
from shared.telemetry import ALLOWED_FIELDS

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# Read by tests or by compose itself, not by the services.
NO_SETTINGS = {"DOORSTEP_PORT", "DOORSTEP_VERSION", "DOORSTEP_TEST_POSTGRES_URL", "DOORSTEP_TEST_KAFKA"}


def known_settings():
    return {f"DOORSTEP_{name.upper()}" for part in PARTS.values() for name in part.settings.model_fields}


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


@pytest.mark.parametrize(
    "name", ["docker-compose.yml", "deploy/Dockerfile", "deploy/README.md", "README.md", "docs/settings.md"]
)
def test_every_setting_that_is_named_exists(name):
    named = set(re.findall(r"DOORSTEP_[A-Z_]+[A-Z]", (ROOT / name).read_text()))
    assert named - known_settings() - NO_SETTINGS == set()


def test_compose_gives_each_service_its_settings():
    for name, service in COMPOSE["services"].items():
        owner = name.partition("-")[0]
        if owner not in PARTS:
            continue
        fields = {f"DOORSTEP_{field.upper()}" for field in PARTS[owner].settings.model_fields}
        assert set(service["environment"]) <= fields, name


def test_each_service_has_a_job_an_api_and_a_worker_that_are_watched():
    for name in PARTS:
        assert COMPOSE["services"][f"{name}-migrate"]["restart"].startswith("on-failure")
        for role in ("api", "worker"):
            service = COMPOSE["services"][f"{name}-{role}"]
            assert service["healthcheck"]["test"]
            assert service["restart"] == "unless-stopped"
            assert service["read_only"]


def test_compose_is_what_docker_compose_reads():
    """compose-go is what Docker Compose itself reads files with."""
    if shutil.which("go") is None:
        pytest.skip("Go is not there: install it to check docker-compose.yml")
    check = ["go", "run", ".", str(ROOT / "docker-compose.yml")]
    done = subprocess.run(check, cwd=ROOT / "deploy/check", capture_output=True, text=True, check=False)
    if "dial tcp" in done.stderr or "no such host" in done.stderr:
        pytest.skip("compose-go could not be fetched")
    assert (done.returncode, done.stdout) == (0, f"{len(COMPOSE['services'])} services\n"), done.stderr


def test_the_table_of_settings_is_that_of_the_code():
    assert SETTINGS_TABLE.read_text() == settings_table(), "run `make docs`"


def test_no_file_names_a_registry_or_this_machine():
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "repo.maven" + ".apache.org")
    for path in tracked():
        text = path.read_text(errors="replace")
        assert not [host for host in (*hosts, str(ROOT) + "/") if host in text], path


def test_logs_allow_no_personal_field():
    assert not ALLOWED_FIELDS & {"name", "phone", "address", "national_id", "account_ref", "token", "statement"}
