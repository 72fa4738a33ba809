"""Each command that cannot go on says why in a sentence, with the exit status of its kind, and leaves nothing."""

import os
import re
import socket
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from services.cli import processes
from services.cli.errors import database_words
from services.cli.main import app
from services.cli.variables import SERVICES, unknown_variables
from services.embedded import PARTS
from shared.settings import PREFIX

DONE, WRONG, USAGE, MISSING = range(4)
ID = "00000000-0000-7000-8000-000000000001"
READING = [
    ["trail", "verify"],
    ["trail", "status"],
    ["trail", "checkpoint", "--log", "operator"],
    ["trail", "watch"],
    ["trail", "proof", "inclusion", "--log", "operator", "--index", "0"],
    ["trail", "proof", "consistency", "--log", "operator", "--from", "1"],
    ["bus", "status"],
    ["bus", "parked"],
    ["bus", "replay", "cases", "--all"],
    ["bus", "rebuild", "cases"],
    ["gate", "explain", ID],
    ["gate", "replay", ID],
]


def call(*arguments, status, **variables):
    """Run a command in this process. Returns what it said on standard error, as one line."""
    kept = {name: None for name in os.environ if name.startswith(PREFIX)}
    done = CliRunner().invoke(app, [str(each) for each in arguments], env=kept | variables)
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output
    assert done.stdout == "" or status == DONE
    return " ".join(done.stderr.split())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize("command", [*READING, ["token", "--role", "admin"]], ids=" ".join)
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["words", "json"])
def test_a_folder_that_is_not_there_is_said_and_not_made(tmp_path, command, json):
    if "token" in command:
        json = []
    assert "There is no" in call(*command, *json, "--data", tmp_path / "nowhere", status=MISSING)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", [["up"], ["migrate"], *READING], ids=" ".join)
def test_a_file_that_is_no_database_is_named(tmp_path, command):
    for name in (*PARTS, "bus"):
        (tmp_path / f"{name}.sqlite3").write_bytes(b"PK\3\4 this is something else")
    assert ".sqlite3 is no SQLite database" in call(*command, "--data", tmp_path, status=MISSING)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    call("migrate", "--data", folder, status=DONE)
    return folder


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("9999", "made by a newer release"),
        ("0001", "of an older release: run `doorstep migrate"),
        (None, "no tables of"),
    ],
)
def test_a_database_of_another_release_is_said(tmp_path, migrated, revision, words):
    for name in PARTS:
        content = (migrated / f"{name}.sqlite3").read_bytes()
        (tmp_path / f"{name}.sqlite3").write_bytes(content)
        with sqlite3.connect(tmp_path / f"{name}.sqlite3") as connection:
            connection.execute("DELETE FROM alembic_version")
            if revision:
                connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        connection.close()
    for command in (["bus", "status"], ["gate", "explain", ID], ["trail", "status"]):
        assert words in call(*command, "--data", tmp_path, status=MISSING)
    if revision == "9999":
        for command in (["up", "--port", "0"], ["migrate"]):
            assert f"{tmp_path}/cases.sqlite3 was made by a newer" in call(*command, "--data", tmp_path, status=MISSING)


def test_a_damaged_database_is_named(tmp_path, migrated):
    content = bytearray((migrated / "cases.sqlite3").read_bytes())
    content[100:] = b"\x55" * (len(content) - 100)
    (tmp_path / "cases.sqlite3").write_bytes(content)
    for command in (["migrate"], ["bus", "status", "cases"]):
        said = call(*command, "--data", tmp_path, status=MISSING)
        assert f"{tmp_path}/cases.sqlite3: The database is damaged" in said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["up", "--port", "65536"], USAGE, "--port"),
        (["up", "--port", "-1"], USAGE, "--port"),
        (["up", "--clock", "tomorrow"], USAGE, "--clock tomorrow: write a time with its offset"),
        (["up", "--clock", "2026-03-02T08:00:00"], USAGE, "write a time with its offset"),
        (["up", "--clock", ""], USAGE, "write a time with its offset"),
        (["up", "--clock", "0001-01-01T00:00:00+14:00"], USAGE, "write a time with its offset"),
        (["up", "--clock", "1999-12-31T08:00:00+08:00"], USAGE, "write a time with its offset"),
        (["up", "--data", "file"], MISSING, "file is a file"),
        (["up", "--data", "file/below"], MISSING, "lies below a file"),
        (["migrate", "--data", "file"], MISSING, "file is a file"),
        (["migrate", "nothing"], USAGE, "there are the services"),
        (["serve", "cases", "boss"], USAGE, "api or worker"),
        (["serve", "nothing", "api"], USAGE, "there are the services"),
        (["serve", "cases", "api", "--port", "65536"], USAGE, "--port"),
        (["serve", "cases", "api", "--host", "nowhere.invalid"], MISSING, "nowhere.invalid is no address"),
        (["serve", "cases", "api", "--host", "192.0.2.1", "--port", "0"], MISSING, "cannot be had"),
        (["token", "--role", "lender"], USAGE, "--lender ID"),
        (["token", "--role", "king"], USAGE, "--role"),
        (["demo", "--data", "file"], MISSING, "file is a file"),
        (["demo", "--feed", "binary", "--profile", "binary"], USAGE, "binary"),
        (["gate", "--visit", "binary"], USAGE, "binary"),
        (["gate", "--visit", "binary.json"], USAGE, "binary.json is not UTF-8 text"),
        (["gate", "--visit", "folder"], MISSING, "folder cannot be read: Is a directory"),
        (["gate", "check", "binary"], WRONG, "binary"),
        (["gate", "rules", "--pack", "folder"], MISSING, "folder cannot be read"),
        (["gate", "explain", "x" * 5000], MISSING, "x: File name too long"),
        (["plan", "--instance", "folder"], MISSING, "folder cannot be read: Is a directory"),
        (["plan", "--instance", "binary"], WRONG, "no JSON document in UTF-8"),
        (["trail", "export", "--case", ID, "--out", "none/x.zip"], MISSING, "none is no folder"),
        (["trail", "verify-export", "folder"], MISSING, "folder cannot be read"),
        (["trail", "verify-export", "file", "--vkey", "binary"], USAGE, "binary is not UTF-8 text"),
        (["bus", "replay", "cases", "--before", "yesterday"], USAGE, "write a time with its offset"),
        (["bus", "status", "nothing"], USAGE, "there are the services"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_wrong_use_is_said(arguments, status, words):
    Path("file").touch()
    Path("folder").mkdir()
    for name in ("binary", "binary.json"):
        Path(name).write_bytes(b"\xff\x00\xfe")
    assert words in call(*arguments, status=status)


@pytest.mark.parametrize("command", [["up"], ["serve", "cases", "api"]], ids=" ".join)
def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = call(*command, "--port", port, status=MISSING, DOORSTEP_DATA_DIR=str(tmp_path / "data"))
    assert f"Port {port} is taken by another process" in said
    assert not (tmp_path / "data/cases.sqlite3").exists()


@pytest.mark.parametrize(
    ("name", "value", "status", "words"),
    [
        ("LOCK_TIMEOUT_MS", "secret", USAGE, "must be a valid integer"),
        ("LOCK_TIMEOUT_MS", "-1", USAGE, "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", USAGE, "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("ENVIRONMENT", "prod", USAGE, "'development' or 'production'"),
        ("CLOCK", "2026-03-02T08:00:00", USAGE, "a time with its offset"),
        ("DATABASE_URL", "postgres://u:secret@h/d", USAGE, "postgresql+asyncpg://"),
        ("DATABASE_URL", "secret", USAGE, "postgresql+asyncpg://"),
        ("CASES_URL", "secret", USAGE, "begins with http:// or https://"),
        ("TRAVEL_SPEEDS_KMH", "secret", USAGE, "must be a JSON object"),
        ("TRAVEL_SPEEDS_KMH", '{"us": -1}', USAGE, "TRAVEL_SPEEDS_KMH.us"),
        ("MASTER_KEY_FILE", "none", MISSING, "none cannot be read: No such file or directory"),
        ("MASTER_KEY_FILE", "folder", MISSING, "folder cannot be read: Is a directory"),
        ("MASTER_KEY_FILE", "secret", USAGE, "must hold 32 random bytes in base64"),
        ("DIGEST_SECRET_FILE", "secret", USAGE, "must hold 32 random bytes in base64"),
        ("DIGEST_SECRET_FILE", "secret/digest.key", MISSING, "is not there and cannot be made: File exists"),
        ("SERVICE_KEY_FILE", "none", MISSING, "none cannot be read"),
        ("SERVICE_KEY_FILE", "secret", USAGE, "holds no Ed25519 private key in PEM"),
        ("SERVICE_JWKS_FILE", "none", MISSING, "none cannot be read"),
        ("SERVICE_JWKS_FILE", "secret", USAGE, "must be a JSON Web Key Set"),
        ("SERVICE_JWKS_FILE", "list", USAGE, "must be a JSON Web Key Set"),
        ("SERVICE_JWKS_FILE", "binary", USAGE, "is not UTF-8 text"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_its_value_is_not_repeated(name, value, status, words):
    Path("secret").write_text("secret")
    Path("list").write_text("[1]")
    Path("binary").write_bytes(b"\xff")
    Path("folder").mkdir()
    said = call("serve", "visits", "api", "--port", "0", status=status, **{f"{PREFIX}{name}": value})
    assert f"{PREFIX}{name}" in said
    assert words in said
    assert name.endswith("FILE") or "secret" not in said


def test_kafkas_certificate_that_is_none_is_named():
    Path("ca.pem").write_text("no certificate")
    variables = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "KAFKA_SECURITY": "SSL", "KAFKA_CA_FILE": "ca.pem"}
    settings = {f"{PREFIX}{name}": value for name, value in variables.items()}
    assert "DOORSTEP_KAFKA_CA_FILE" in call("serve", "cases", "worker", "--port", "0", status=USAGE, **settings)


def test_a_password_file_that_is_not_there_is_named():
    url = "postgresql+asyncpg://doorstep@127.0.0.1:1/none"
    settings = {"DOORSTEP_DATABASE_URL": url, "DOORSTEP_DATABASE_PASSWORD_FILE": "none"}
    said = call("migrate", "cases", status=MISSING, **settings)
    assert "DOORSTEP_DATABASE_PASSWORD_FILE: none cannot be read" in said


@pytest.mark.parametrize("command", [["migrate", "cases"], ["bus", "status", "cases"], ["gate", "replay", ID]])
def test_a_server_that_does_not_answer_is_said(command):
    url = "postgresql+asyncpg://doorstep:secret@127.0.0.1:1/none"
    said = call(*command, status=MISSING, DOORSTEP_DATABASE_URL=url)
    assert "does not answer" in said
    assert "secret" not in said


def test_an_error_of_the_program_is_told_from_a_check(monkeypatch, tmp_path):
    def broken(*_):
        raise KeyError("王小明")

    monkeypatch.setattr(processes, "part_of", broken)
    said = call("migrate", "cases", status=WRONG)
    assert "KeyError at test_errors.py" in said
    assert "王小明" not in said


def test_a_database_error_never_quotes_its_values():
    error = OperationalError("INSERT INTO debtor …", {"name": "王小明"}, sqlite3.OperationalError("disk I/O error"))
    assert "disk I/O error" in database_words(error)
    assert "王小明" not in database_words(error)


def test_a_variable_that_no_service_reads_is_warned_of_with_the_nearest_name(migrated):
    key = migrated / "keys"
    said = call("gate", "stories", "--json", status=DONE, DOORSTEP_GRACE_DAY="3", DOORSTEP_ZZZ="1")
    assert "DOORSTEP_GRACE_DAY is not a setting of Doorstep and has no effect. Perhaps DOORSTEP_GRACE_DAYS" in said
    assert "DOORSTEP_ZZZ is not a setting of Doorstep and has no effect." in said
    assert not key.exists()


def test_settings_of_any_service_and_names_of_compose_and_tests_are_known(monkeypatch):
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    for part in PARTS.values():
        for name in part.settings.model_fields:
            monkeypatch.setenv(f"{PREFIX}{name.upper()}", "1")
    compose = Path(__file__).parents[2] / "docker-compose.yml"
    for name in re.findall(r"\$\{(DOORSTEP_[A-Z_0-9]+)", compose.read_text()):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DOORSTEP_TEST_POSTGRES_URL", "1")
    assert unknown_variables() == []
    assert tuple(PARTS) == SERVICES


def test_a_misspelt_name_in_a_dotenv_is_warned_of_in_development_only(monkeypatch):
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    Path(".env").write_text("DOORSTEP_LOGLEVEL=DEBUG\nPATH_OF_ANOTHER_PROGRAM=1\n")
    assert [each.split()[0] for each in unknown_variables()] == ["DOORSTEP_LOGLEVEL"]
    monkeypatch.setenv("DOORSTEP_ENVIRONMENT", "production")
    assert unknown_variables() == []


def test_a_dotenv_that_is_not_text_is_said():
    Path(".env").write_bytes(b"\xff\xfe")
    assert ".env in the working folder is not UTF-8" in call("token", "--role", "admin", status=USAGE)


@pytest.mark.parametrize("name", ["AGENCY_REVIEWED_ON", "AGENCY_LISTED", "AGENT_CHANGED_AT"])
def test_a_setting_that_moved_is_warned_of_with_its_new_address(monkeypatch, name):
    monkeypatch.setenv(f"{PREFIX}{name}", "2026-01-15")
    [sentence] = [each for each in unknown_variables() if name in each]
    assert sentence.endswith("record it by PUT /cases/v1/lenders/{id}/agency.")
    assert "2026-01-15" not in sentence
