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
ROLES = ("migrate", "api", "worker")
# Read by tests or by compose itself, not by the services.
NO_SETTINGS = {"DOORSTEP_TEST_POSTGRES_URL", "DOORSTEP_TEST_KAFKA"} | {
    f"DOORSTEP_{name}"
    for name in (
        "PORT",
        "VERSION",
        "SECRETS_DIR",
        "CHECKPOINTS_VOLUME",
        "CASES_DATABASE_URL",
        "VISITS_DATABASE_URL",
        "FOLLOWUP_DATABASE_URL",
        "AUDIT_DATABASE_URL",
        "AUDIT_API_DATABASE_URL",
        "AUDIT_WORKER_DATABASE_URL",
    )
}
# Settings of the services that compose does not hand over, each with the reason.
NOT_IN_COMPOSE = {
    "DOORSTEP_CLOCK": "a simulated business clock is for demos and tests; it must never reach a deployment",
    "DOORSTEP_DATA_DIR": "the image sets it: the path inside the container is ours",
    "DOORSTEP_KEYS_DIR": "the image sets it: the path inside the container is ours",
}
# Read by the client of PostgreSQL.
OF_POSTGRESQL = {"PGSSLMODE", "PGSSLROOTCERT"}
# ${NAME}, ${NAME:-default} (also when empty), ${NAME-default} (only when it is not set)
INTERPOLATED = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:?-)(?P<default>[^}]*))?\}")
COMPOSE_READS = {found["name"] for found in INTERPOLATED.finditer((ROOT / "docker-compose.yml").read_text())}
EXAMPLE = re.compile(r"```sh\n# \.env\n(.*?)```", re.DOTALL)


def names_of(settings):
    return {f"DOORSTEP_{name.upper()}" for name in settings.model_fields}


def known_settings():
    return {name for part in PARTS.values() for name in names_of(part.settings)}


def processes():
    return [(owner, f"{owner}-{role}") for owner in PARTS for role in ROLES]


def environment_of(process, given):
    """What compose puts into the environment of a container, with these variables in its `.env`."""

    def value(found):
        name, how, default = found["name"], found["how"], found["default"] or ""
        missing = name not in given or (how == ":-" and not given[name])
        return default if missing else given[name]

    written = COMPOSE["services"][process]["environment"]
    return {name: INTERPOLATED.sub(value, text) for name, text in written.items()}


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


@pytest.mark.parametrize(
    "name",
    [
        "docker-compose.yml",
        "deploy/Dockerfile",
        "deploy/README.md",
        "README.md",
        "docs/settings.md",
        "docs/operations.md",
    ],
)
def test_every_setting_that_is_named_exists(name):
    named = set(re.findall(r"DOORSTEP_[A-Z_]+[A-Z]", (ROOT / name).read_text()))
    of_gateway = {name for name in COMPOSE_READS if name.startswith("DOORSTEP_GATEWAY_")}
    assert named - known_settings() - NO_SETTINGS - of_gateway == set()


@pytest.mark.parametrize(("owner", "process"), processes())
def test_compose_hands_over_every_setting_of_a_service_and_no_other(owner, process):
    wanted = names_of(PARTS[owner].settings) - NOT_IN_COMPOSE.keys()
    assert set(COMPOSE["services"][process]["environment"]) - OF_POSTGRESQL == wanted


def test_what_compose_does_not_hand_over_is_a_setting_or_set_by_the_image():
    assert NOT_IN_COMPOSE.keys() <= known_settings()
    image = (ROOT / "deploy/Dockerfile").read_text()
    for name in NOT_IN_COMPOSE.keys() - {"DOORSTEP_CLOCK"}:
        assert f"{name}=/" in image
    assert "DOORSTEP_CLOCK" not in image


@pytest.mark.parametrize(("owner", "process"), processes())
def test_every_setting_of_compose_can_be_set_and_defaults_are_those_of_the_code(owner, process, monkeypatch):
    fields = PARTS[owner].settings.model_fields
    for name, value in environment_of(process, {}).items():
        monkeypatch.setenv(name, value)
    settings = PARTS[owner].settings.load()
    for name, text in COMPOSE["services"][process]["environment"].items():
        assert INTERPOLATED.search(text), f"{name} cannot be set from outside"
        if not environment_of(process, {})[name] and name not in OF_POSTGRESQL:
            field = name.removeprefix("DOORSTEP_").lower()
            assert getattr(settings, field) == fields[field].get_default()
    assert environment_of(process, {"DOORSTEP_DATABASE_PASSWORD_FILE": ""})["DOORSTEP_DATABASE_PASSWORD_FILE"] == ""


def production_example():
    """The `.env` that deploy/README.md shows."""
    [example] = EXAMPLE.findall((ROOT / "deploy/README.md").read_text())
    lines = [line for line in example.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(("owner", "process"), processes())
def test_the_example_of_production_is_whole(owner, process, monkeypatch):
    for name, value in environment_of(process, production_example()).items():
        monkeypatch.setenv(name, value)
    settings = PARTS[owner].settings.load()
    assert settings.environment == "production"
    assert settings.production_problems() == []
    assert (settings.kafka_security, settings.kafka_replication) == ("SASL_SSL", 3)
    assert "@postgres/" not in settings.database_url
    assert settings.kafka_bootstrap != "kafka:9092"


def test_the_example_of_production_sets_nothing_that_compose_does_not_read():
    assert production_example().keys() - COMPOSE_READS == {"COMPOSE_FILE"}


def test_files_of_the_example_are_where_compose_mounts_them():
    """Keys and certificates lie in the folder of secrets; checkpoints in a volume of audit's alone."""
    for owner, process in processes():
        mounted = [volume.rsplit(":", 2) for volume in COMPOSE["services"][process]["volumes"]]
        places = {part for volume in mounted for part in volume[1:] if part.startswith("/")}
        for name, value in environment_of(process, production_example()).items():
            if name.endswith(("_FILE", "_DIR")) and value and process != "audit-migrate":
                assert any(value.startswith(place) for place in places), (owner, name)


def test_the_database_roles_of_compose_exist():
    made = set(re.findall(r"CREATE ROLE (\w+) LOGIN", (ROOT / "deploy/postgres/databases.sql").read_text()))
    used = {re.search(r"//(\w+)@", environment_of(name, {})["DOORSTEP_DATABASE_URL"])[1] for _, name in processes()}
    assert used == {"doorstep"} | made


def test_each_service_has_a_job_an_api_and_a_worker_that_are_watched():
    for name in PARTS:
        assert COMPOSE["services"][f"{name}-migrate"]["restart"].startswith("on-failure")
        for role in ("api", "worker"):
            service = COMPOSE["services"][f"{name}-{role}"]
            assert service["healthcheck"]["test"]
            assert service["restart"] == "unless-stopped"
            assert service["read_only"]


OWN_SERVERS = {"secrets", "postgres", "kafka"}


@pytest.mark.parametrize(
    ("files", "left_out"),
    [(["docker-compose.yml"], set()), (["docker-compose.yml", "deploy/production.yml"], OWN_SERVERS)],
    ids=["alone", "production"],
)
def test_compose_is_what_docker_compose_reads(files, left_out):
    """compose-go is what Docker Compose itself reads files with."""
    if shutil.which("go") is None:
        pytest.skip("Go is not there: install it to check docker-compose.yml")
    check = ["go", "run", ".", *(str(ROOT / name) for name in files)]
    done = subprocess.run(check, cwd=ROOT / "deploy/check", capture_output=True, text=True, check=False)
    if "dial tcp" in done.stderr or "no such host" in done.stderr:
        pytest.skip("compose-go could not be fetched")
    services = len(COMPOSE["services"].keys() - left_out)
    assert (done.returncode, done.stdout) == (0, f"{services} services\n"), done.stderr


def test_the_table_of_settings_is_that_of_the_code():
    assert SETTINGS_TABLE.read_text() == settings_table(), "run `make docs`"


def test_no_file_names_a_registry_or_this_machine():
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "repo.maven" + ".apache.org")
    for path in tracked():
        text = path.read_text(errors="replace")
        assert not [host for host in (*hosts, str(ROOT) + "/") if host in text], path


def test_logs_allow_no_personal_field():
    assert not ALLOWED_FIELDS & {"name", "phone", "address", "national_id", "account_ref", "token", "statement"}
