"""A sequencer and the publisher that vouches for what it takes, put together: what one finds wrong the other does
not sign."""

from dataclasses import dataclass
from functools import partial

from services.audit.attestations.publisher import Publisher
from services.audit.attestations.starting import check_start
from services.audit.trail.sequencer import Sequencer
from shared.bus.lease import Lease
from shared.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Attested:
    sequencer: Sequencer
    publisher: Publisher


def attested(runtime: Runtime) -> Attested:
    """A sequencer that checks the trail before it begins, and whose entries are published with a checkpoint."""
    lease = Lease(runtime.database, runtime.service.tables.bus.lease, "sequencer")
    publisher = Publisher(runtime, leads=lambda: sequencer.leads)
    sequencer = Sequencer(
        runtime,
        lease,
        check_start=partial(check_start, runtime),
        publish=lambda: publisher.publish_once(),
        grown=publisher.wake,
    )
    return Attested(sequencer, publisher)
