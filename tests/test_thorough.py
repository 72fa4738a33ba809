"""`make thorough` ends in time and says of each piece what came of it."""

import os
import select
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.thorough import PIECES, Piece, end, main


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes modules that `python -m` finds."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(name: str, code: str) -> Piece:
        (tmp_path / f"{name}.py").write_text(code)
        return Piece(name, (name,))

    return make


def test_a_fault_is_told_at_the_end_and_keeps_no_piece_from_running(module, capsys, tmp_path):
    seen = tmp_path / "seen"
    pieces = module("bad", "raise SystemExit(1)"), module("good", f"open({str(seen)!r}, 'w').close()")
    assert main(pieces) == 1
    said = capsys.readouterr().out
    assert "bad: found a fault" in said
    assert "good: nothing was found" in said
    assert said.endswith("Thorough: look at bad.\n")
    assert seen.exists()


def test_a_piece_that_hangs_is_named(module, capsys, monkeypatch):
    monkeypatch.setenv("DOORSTEP_THOROUGH_MINUTES", "0")
    assert main((module("hangs", "import time; time.sleep(60)"),)) == 1
    assert "hangs: did not end in time" in capsys.readouterr().out


def test_a_piece_is_ended_with_all_that_it_started(module, tmp_path):
    fifo = tmp_path / "open while the child lives"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    child = f"import time\nkept = open({str(fifo)!r}, 'w')\nkept.write('begun')\nkept.flush()\ntime.sleep(60)"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True, stderr=subprocess.DEVNULL)
    seen = select.poll()
    seen.register(reader, select.POLLIN | select.POLLHUP)
    assert seen.poll(30_000), "the child did not begin"
    assert os.read(reader, 10) == b"begun"
    end(process)
    assert seen.poll(5_000) == [(reader, select.POLLHUP)], "the child lives on"
    os.close(reader)


def test_what_finds_nothing_ends_in_plain_words(module, capsys):
    assert main((module("good", ""),)) == 0
    assert capsys.readouterr().out.endswith("no property, kill or forgery of the large searches found a fault.\n")


def test_each_piece_is_a_module_that_is_there():
    assert all(find_spec(piece.arguments[0]) for piece in PIECES)
