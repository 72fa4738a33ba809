"""The commands of docs/operations.md, run as they are written there."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"


def command(title: str) -> str:
    """The block of the page that begins with this title as a comment."""
    [found] = re.findall(rf"^```sh\n# {re.escape(title)}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    return str(found)


def run(
    title: str, *, change: tuple[str, str] = ("", ""), cwd: Path | None = None, expect: int = 0, **environment: object
) -> str:
    """Run a block by bash, with these variables; `doorstep` is this checkout's. `change` replaces a
    program that is not here by other words. Returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DOORSTEP_")}
    given = {name: str(value) for name, value in environment.items()}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command(title).replace(*change) if change[0] else command(title)],
        env=kept | {"PATH": path} | given,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, f"{title}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
