"""`make tamper [SEED=n]`: tamper with a trail in every way, on SQLite and PostgreSQL, and print what `doorstep trail
verify` says of each. Exit status 1 if anything was not found, or the untouched trail was doubted."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.dev.postgres import postgres
from deploy.dev.processes import ServerMissing
from shared.cli.output import err, out
from shared.telemetry import set_up_logging
from tests.tamper import trails
from tests.tamper.forgeries import OPERATOR, Forgery, forgeries
from tests.tamper.trails import Copy, Trails

RANDOM = 20
AT_ONCE = 2
FORGER = Path(__file__).with_name("random_forger.py")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    database: str
    wanted: str
    said: str
    good: bool


Trial = Callable[[], Row]


def trials(made: Trails, seed: int) -> Iterator[Trial]:
    yield lambda: control(made)
    for number, forgery in enumerate(forgeries(made.size, made.backup, made.older, made.notes)):
        yield lambda number=number, forgery=forgery: named(made, forgery, f"named_{number}")
    for number in range(RANDOM):
        yield lambda number=number: drawn(made, f"{seed}/{number}", f"drawn_{number}")


def control(made: Trails) -> Row:
    copy = made.copy("trail", "control")
    status, found = verified(copy, "--against", str(made.kept))
    copy.drop()
    problems = [problem for log in found["logs"] for problem in log["problems"]]
    return Row(
        "untouched (control)", made.database, "nothing", f"{len(problems)} problems", status == 0 and not problems
    )


def named(made: Trails, forgery: Forgery, name: str) -> Row:
    copy = made.copy(forgery.on, name)
    copy.tamper(forgery.do)
    forgery.copies(copy.copies)
    status, found = verified(copy, *(["--against", str(made.kept)] if forgery.against else []))
    copy.drop()
    first = first_problem(found, forgery.log)
    good = status == 1 and is_named(found, forgery)
    return Row(forgery.name, made.database, f"{forgery.index} {forgery.kind}", shown(first), good)


def is_named(found: dict[str, Any], forgery: Forgery) -> bool:
    """Whether the first index at which something is wrong is the right one, and the right kind is named there."""
    named = [(each["index"], each["kind"]) for each in problems_of(found, forgery.log)]
    also = forgery.also is None or any(each["kind"] == forgery.also for each in problems_of(found, OPERATOR))
    return named[:1] != [] and named[0][0] == forgery.index and (forgery.index, forgery.kind) in named and also


def drawn(made: Trails, seed: str, name: str) -> Row:
    """Tampered with by a script that knows nothing of the project, in a process of its own."""
    copy = made.copy("trail", name)
    done = subprocess.run([sys.executable, str(FORGER), copy.plain, seed], capture_output=True, text=True, check=True)
    forged = json.loads(done.stdout)
    status, found = verified(copy)
    copy.drop()
    first = first_problem(found, forged["log"])
    good = status == 1 and first is not None and forged["first"] <= first["index"] <= forged["last"]
    wanted = f"{forged['first']}" if forged["first"] == forged["last"] else f"{forged['first']}–{forged['last']}"
    return Row(f"seed {seed}: {forged['what']}, {forged['log']}", made.database, wanted, shown(first), good)


def verified(copy: Copy, *more: str) -> tuple[int, dict[str, Any]]:
    done = copy.verify(*more)
    if done.returncode not in (0, 1):
        raise SystemExit(f"doorstep trail verify ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.returncode, json.loads(done.stdout)


def problems_of(found: dict[str, Any], log: str) -> list[dict[str, Any]]:
    return [problem for each in found["logs"] if each["log"] == log for problem in each["problems"]]


def first_problem(found: dict[str, Any], log: str) -> dict[str, Any] | None:
    return next(iter(problems_of(found, log)), None)


def shown(problem: dict[str, Any] | None) -> str:
    return f"{problem['index']} {problem['kind']}" if problem else "nothing"


def run(seed: int) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres())
        made = []
        for name, database in (("sqlite", None), ("postgresql", server)):
            (folder / name).mkdir()
            made.append(trails.build(folder / name, database))
        work = [trial for each in made for trial in trials(each, seed)]
        bars = stack.enter_context(Progress(console=err))
        bar = bars.add_task("tampering and verifying", total=len(work))

        def one(trial: Trial) -> Row:
            row = trial()
            bars.advance(bar)
            return row

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, work))


def table(rows: list[Row]) -> Table:
    shape = Table("tampering", "database", "found", "must be named", "named first")
    for row in rows:
        found, style = ("yes", "") if row.good else ("NO", "red")
        shape.add_row(row.name, row.database, found, row.wanted, row.said, style=style)
    return shape


def main(seed: str = "1") -> int:
    set_up_logging("ERROR")
    if not seed.isdecimal():
        err.print(f"make tamper SEED={seed}: a seed is a whole number, such as SEED=7", markup=False)
        return 2
    try:
        rows = run(int(seed))
    except ServerMissing as missing:
        err.print(str(missing), markup=False)
        return 3
    console = out if out.is_terminal else Console(width=140)
    console.print(table(rows))
    wrong = [row for row in rows if not row.good]
    verdict = f"{len(wrong)} were NOT judged rightly" if wrong else "every one was found and named"
    console.print(
        f"{len(rows) - 2} tamperings of a trail on SQLite and PostgreSQL, {RANDOM} on each drawn from seed {seed},"
        f" and an untouched control on each: {verdict}."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
