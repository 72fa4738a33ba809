"""`make thorough`: the large searches, whole: properties, kills and forgeries, one after the other.

A piece that finds a fault does not keep the next from running. All of them have MINUTES_MAX together, a third of it to
spare on two quiet cores; DOORSTEP_THOROUGH_MINUTES gives a slower machine more.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

MINUTES_MAX = 60
STOP_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Piece:
    name: str
    arguments: tuple[str, ...]


PIECES = (
    Piece("properties", ("pytest", "-m", "search", "-n", "2", "--dist", "loadfile")),
    Piece("forged trails", ("tests.tamper",)),
    Piece("kills of sequencers", ("tests.faults", "trail")),
    Piece("kills of the bus", ("tests.faults",)),
)


def run(piece: Piece, seconds: float) -> str:
    """Run a piece, at most so long. Returns what is wrong, or nothing."""
    environment = {**os.environ, "DOORSTEP_THOROUGH": "1"}
    process = subprocess.Popen([sys.executable, "-m", *piece.arguments], env=environment, start_new_session=True)
    try:
        status = process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        end(process)
        return "did not end in time"
    except BaseException:
        end(process)
        raise
    return "" if status == 0 else "found a fault: see above"


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a piece and all that it started; politely first, so that it ends its servers."""
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS_MAX)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main(pieces: tuple[Piece, ...] = PIECES) -> int:
    ends = time.monotonic() + 60 * float(os.environ.get("DOORSTEP_THOROUGH_MINUTES", MINUTES_MAX))
    lines, wrong = [], []
    for piece in pieces:
        started = time.monotonic()
        found = run(piece, ends - started)
        lines.append(f"{(time.monotonic() - started) / 60:6.1f} min  {piece.name}: {found or 'nothing was found'}")
        wrong += [piece.name] if found else []
    print("", *lines, sep="\n")
    if wrong:
        print(f"Thorough: look at {', '.join(wrong)}.")
        return 1
    print("Thorough: no property, kill or forgery of the large searches found a fault.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
