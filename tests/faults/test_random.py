"""Faults in any order, as Hypothesis invents them: writers, relays and consumers that live or die at any point, events
delivered again, leases taken away. After each story the checker looks."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from shared.bus.transport import Message
from shared.events.cases import TOPIC
from tests.faults.actors import POINTS
from tests.faults.checker import check
from tests.faults.scenarios import do, embedded_world, finish, records_of
from tests.faults.world import SAYING_TABLES, opened
from tests.searches import THOROUGH


def points(role):
    return st.sampled_from([*POINTS[role], ""])


class Faults(RuleBasedStateMachine):
    """One world; each rule is a real process, or a real fault."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="doorstep-faults-")
        self.world = embedded_world(Path(self.folder.name))
        self.said = False

    @rule(point=points("writer"), after=st.integers(1, 6))
    def write(self, point, after):
        do(self.world, "writer", die_at=point, after=after, count=6)
        self.said = True

    @rule(point=points("relay"), after=st.integers(1, 2))
    def relay(self, point, after):
        do(self.world, "relay", die_at=point, after=after)

    @rule(point=points("consumer"), after=st.integers(1, 8))
    def consume(self, point, after):
        do(self.world, "consumer", die_at=point, after=after)

    @precondition(lambda self: self.said)
    @rule()
    def deliver_again(self):
        async def again():
            async with opened(self.world.hearing()) as runtime:
                records = await records_of(runtime)
                await runtime.transport.append([Message(TOPIC, r.key, r.headers, r.value) for r in records])

        asyncio.run(again())

    @rule()
    def take_the_lease_away(self):
        async def away():
            async with opened(self.world.saying()) as runtime, runtime.database.transaction() as tx:
                lease = SAYING_TABLES.bus.lease
                await tx.session.execute(lease.update().values(holder="somebody else", epoch=lease.c.epoch + 1))

        asyncio.run(away())

    def teardown(self):
        try:
            if self.said:
                do(self.world, "writer", count=2)
                finish(self.world, linger_seconds=1.2)
                found = asyncio.run(check(self.world))
                assert found.kept, found
        finally:
            self.folder.cleanup()


@pytest.mark.slow
@pytest.mark.search
def test_faults_in_any_order():
    options = settings(
        max_examples=40 if THOROUGH else 4,
        stateful_step_count=6,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(Faults, settings=options)
