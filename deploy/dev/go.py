"""Programs written in Go by others, for tests that want somebody else's judgement: built once, kept in the cache."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.dev.processes import ServerMissing, cache, say

HINT = "Go is needed for this check: install it from your distribution, 1.24 or newer"
AWAY = ("dial tcp", "no such host", "i/o timeout", "TLS handshake")


def run_go(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command `go` says. Raises ServerMissing where it is not there, or cannot fetch what it needs."""
    if shutil.which("go") is None:
        raise ServerMissing(HINT)
    done = subprocess.run(
        ["go", *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode and any(sign in done.stderr for sign in AWAY):
        raise ServerMissing(f"{HINT} (its modules could not be fetched)")
    return done


def go_program(package: str, version: str) -> Path:
    """The path of a program of a public module, built on first use."""
    folder = cache() / f"{package.rpartition('/')[2]}-{version}"
    program = folder / package.rpartition("/")[2]
    if not program.exists():
        say(f"building {package} {version} …")
        done = run_go("install", f"{package}@{version}", GOBIN=str(folder))
        if done.returncode:
            raise ServerMissing(f"{package} does not build: {done.stderr[-500:]}")
    return program
