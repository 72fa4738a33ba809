"""The guide "a new law, step by step", followed: its files are written, its commands run, its words compared."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from services.cli.main import app

GUIDE = Path(__file__).parents[3] / "docs/guides/a-new-law.md"
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_following_the_guide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown, commands = "", 0
    for language, options, text in BLOCK.findall(GUIDE.read_text()):
        told = dict(part.split("=", 1) for part in shlex.split(options))
        if language == "yaml" and "append" in told:
            path = Path(told["append"])
            path.write_text(path.read_text() + text)
        elif language == "yaml":
            Path(told["file"]).write_text(text)
        elif language == "sh":
            shown = run(text, told)
            commands += 1
        else:
            for line in text.splitlines():
                assert line in shown, (line, shown)
    assert commands == 6


def run(text: str, told: dict[str, str]) -> str:
    """Run a command line; with `replace`, on files changed for this one run."""
    program, *arguments = shlex.split(text)
    assert program == "doorstep"
    before = {path: path.read_text() for path in Path().glob("*.yaml")}
    if "replace" in told:
        assert any(told["replace"] in content for content in before.values())
        for path, content in before.items():
            path.write_text(content.replace(told["replace"], told["with"]))
    result = CliRunner().invoke(app, arguments)
    for path, content in before.items():
        path.write_text(content)
    assert result.exit_code == int(told.get("status", "0")), result.output
    return result.output
