"""Local servers as child processes: started with a pid of their own, and ended by it, whatever happens to us.

Each child is told by the kernel to end when its parent dies (PR_SET_PDEATHSIG), so that not even a SIGKILL of the
parent leaves a server behind; folders of data are removed at the end, or by the next start.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

STOP_SECONDS_MAX = 15
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ServerMissing(Exception):
    """A server cannot be started here; the message says what to install."""


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def ask(work: Coroutine[None, None, Answer]) -> Answer:
    """Run a coroutine in a thread with a loop of its own, so that callers inside a loop may ask, too."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cache() -> Path:
    """Where downloads are kept between runs."""
    return Path(os.environ.get("DOORSTEP_CACHE", Path.home() / ".cache" / "doorstep"))


def install(packages: list[str], program: str, hint: str) -> None:
    """Install Debian packages where we are root; else say what to install. Nothing to do where the program is there."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServerMissing(hint)
    say(f"installing {' '.join(packages)} …")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *packages]):
        done = subprocess.run(  # what is installed is for all users, whatever the umask of this process
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, umask=0o022
        )
        if done.returncode:
            raise ServerMissing(f"{hint} ({done.stderr.decode(errors='replace').strip()[-300:]})")


def temporary_folder(name: str) -> Path:
    """A folder that other users can pass through (a server may run as another user)."""
    folder = Path(tempfile.mkdtemp(prefix=f"doorstep-{name}-"))
    folder.chmod(0o711)
    return folder


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One running server process with its log."""

    def __init__(self, command: list[str], *, log: Path, cwd: Path, signal_to_stop: int = signal.SIGTERM) -> None:
        self._command = command
        self._log = log
        self._cwd = cwd
        self._signal = signal_to_stop
        self.start()

    def start(self) -> None:
        """Start it, or start it again after its end."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self._cwd,
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self, ready: Callable[[], bool], what: str, seconds_max: float = 60) -> None:
        """Ask until the server answers: an open port is not ready."""
        ends = time.monotonic() + seconds_max
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                raise ServerMissing(f"{what} ended at once:\n{self.log_tail()}")
            if ready():
                return
            time.sleep(0.1)
        raise ServerMissing(f"{what} did not answer within {seconds_max} s:\n{self.log_tail()}")

    def log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, then insist."""
        if self._process.poll() is None:
            self._process.send_signal(self._signal)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
