"""Law: a decision, a day's screening, the earliest lawful time and the start. The floors are the project's limits,
so that the last column says how much of each limit is used; one process, one core, no server."""

from datetime import date, datetime, timedelta
from time import process_time

from shared.law import Facts, Law, Step, Verdict, earliest_lawful, evaluate, read_pack, screen
from shared.law.packs import PACKS
from shared.law.register import Version
from shared.law.stories import load_stories
from tests.bench.figures import REPETITIONS, Figure
from tests.bench.stage import Stage

DECISIONS = 2_000
CASES = 100_000
LIMITS = {"start": 300.0, "decision": 0.3, "earliest": 5.0, "screening": 40.0}
DAY = date(2026, 3, 2)


def sound(pack: str) -> Facts:
    return next(Facts.model_validate(each.sound) for each in load_stories() if each.pack == pack)


async def measure(stage: Stage) -> list[Figure]:
    law, start = _start()
    return [
        _figure("law: all packs loaded and checked", "ms", start, "start"),
        _figure("law: a decision by two packs, every rule", "ms", _decisions(law), "decision"),
        _figure("law: the earliest lawful time, a month away", "ms", _earliest(law), "earliest"),
        _figure("law: 100,000 cases screened for a day", "s", _screening(law), "screening"),
    ]


def _figure(name: str, unit: str, values: list[float], limit: str) -> Figure:
    return Figure(
        name,
        unit,
        values,
        {"limit": [LIMITS[limit]] * len(values)},
        "time of the processor, one core; the floor is the limit that the project has set itself",
    )


def _start() -> tuple[Law, list[float]]:
    times = []
    for _ in range(REPETITIONS):
        started = process_time()
        packs = [read_pack(path.name, path.read_bytes()) for path in sorted(PACKS.glob("*.yaml"))]
        times.append((process_time() - started) * 1000)
    return Law(tuple(Version(pack) for pack in packs)), times


def _decisions(law: Law) -> list[float]:
    """At dispatch in mainland China, where most rules are judged."""
    facts, times = sound("cn"), []
    for _ in range(REPETITIONS):
        started = process_time()
        for _ in range(DECISIONS):
            assert evaluate(law.packs_of(facts), Step.DISPATCH, facts).verdict is Verdict.PASS
        times.append((process_time() - started) * 1000 / DECISIONS)
    return times


def _earliest(law: Law) -> list[float]:
    """Three visits within 30 days: the cap of a month opens again four weeks later, in the night."""
    facts, times = sound("tw"), []
    visited = tuple(facts.at - timedelta(days=days, hours=8) for days in (1, 2, 3))
    facts = facts.model_copy(update={"contact_visits": visited})
    for _ in range(REPETITIONS):
        started = process_time()
        for _ in range(100):
            found = earliest_lawful(law, facts, after=facts.at)
            assert found.at is not None
            assert found.at > facts.at + timedelta(days=26)
        times.append((process_time() - started) * 1000 / 100)
    return times


def _screening(law: Law) -> list[float]:
    """A tenth each is held, capped, unverified, not notified, in a hazard zone; the rest is free for the day."""
    facts = sound("tw")
    plain = facts.model_dump(mode="json", exclude_defaults=True)
    changes = [
        {"holds": [{"reason": "COMPLAINT_PENDING"}]},
        {"contact_visits": [datetime.isoformat(facts.at - timedelta(days=2))]},
        {"address_verified": False},
        {"notices": {}},
        {"hazard": True},
        *({} for _ in range(5)),
    ]
    cases = [{**plain, **changes[number % 10]} for number in range(CASES)]
    times = []
    for _ in range(REPETITIONS):
        started = process_time()
        stopped = 0
        for case in cases:
            told = Facts.model_validate(case)
            found = screen(law.packs_for(told.jurisdiction, DAY), told, DAY)
            stopped += not found.windows
        times.append(process_time() - started)
        assert stopped == CASES // 2
    return times
