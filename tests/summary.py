"""What a run says at its end in plain words: what ran, what was slow, and how long set-up took."""

import pytest

from tests.servers import SERVERS_USED

LONGEST = 10
PHASES = ("setup", "call", "teardown")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Skips and their reasons are above."""
    stats = terminalreporter.stats
    counts = {name: len(stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    servers = ", ".join(sorted(terminalreporter.config.stash.get(SERVERS_USED, set()))) or "no server"
    bad = counts["failed"] + counts["error"]
    verdict = f"{bad} did not pass" if bad else "all of them passed"
    reports = [each for kind in stats.values() for each in kind if isinstance(each, pytest.TestReport)]
    seconds = {when: sum(each.duration for each in reports if each.when == when) for when in PHASES}
    slowest = sorted((each for each in reports if each.when == "call"), key=lambda each: -each.duration)[:LONGEST]
    for line in (
        "",
        *(f"{each.duration:6.1f} s  {each.nodeid}" for each in slowest),
        f"Setting up took {seconds['setup']:.0f} s, the tests {seconds['call']:.0f} s, tidying up "
        f"{seconds['teardown']:.0f} s, added up over all workers.",
        f"{counts['passed'] + bad} tests ran, on {servers}; {verdict}, {counts['skipped']} skipped.",
    ):
        terminalreporter.write_line(line)
