"""What the worker of audit does: one sequencer takes every event of every service into the trail."""

from pathlib import Path

from services.audit.attestations.sequencing import attested
from services.audit.base import TABLES
from services.audit.export import jobs as export
from services.audit.trail.sequencer import positions
from services.audit.trail.state import halted_because
from services.audit.verification.jobs import VERIFICATIONS, Schedule
from shared.events.registry import TOPICS
from shared.runtime import Runtime, Service, Timer
from shared.worker import Worker

SERVICE = Service(
    name="audit",
    tables=TABLES,
    migrations=Path(__file__).with_name("migrations"),
    listens_to=tuple(sorted(TOPICS)),
    timers=(Timer("export files", export.drop_expired, awaited=False),),
    jobs=(export.EXPORTS, VERIFICATIONS),
    positions=positions,
    halted=halted_because,
)


def create_worker(runtime: Runtime) -> Worker:
    both = attested(runtime)
    sequencer, publisher = both.sequencer, both.publisher
    runtime.watchdogs.append(sequencer.watchdog)
    return Worker(
        runtime,
        Schedule(runtime).run,
        sequencer.run,
        publisher.run,
        under_way=[sequencer.under_way],
        last=publisher.last_word,
    )
