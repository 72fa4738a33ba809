"""Each command is found where the program says it is, without loading the others."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli.main import MODULES, app


@pytest.mark.parametrize("command", MODULES)
def test_every_command_is_in_its_module(command):
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0, shown.output
    assert command in shown.output


def test_an_unknown_command_is_wrong_use():
    assert CliRunner().invoke(app, ["collect"]).exit_code == 2


def test_a_plan_from_a_file_loads_no_service():
    code = "import sys, services.cli.plan; print([name for name in sys.modules if name in ('fastapi', 'sqlalchemy')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.slow
def test_what_a_command_writes_is_its_owners_alone(tmp_path):
    code = "from services.cli.main import main; main()"
    command = [sys.executable, "-c", code, "migrate", "cases", "--data", str(tmp_path / "new")]
    subprocess.run(command, capture_output=True, check=True, timeout=60, umask=0o022)
    found = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert len(found) >= 2
    assert [path for path in found if path.stat().st_mode & 0o077] == []
