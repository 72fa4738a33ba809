"""An entry is found by each case, visit, collector, debtor and promise that its event names, and by who acted."""

import json

import pytest

from services.audit.trail.entries import draft_of
from services.audit.trail.subjects import SUBJECTS_OF, is_id
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events import visits
from shared.events.envelope import ActorRef, Envelope
from shared.events.registry import EVENTS
from shared.events.schemas import sample_of
from shared.ids import new_id

COLLECTOR = new_id()
# Events of a visit that are no act of a collector: a rule of law, a ground and a plan concern no collector's conduct.
NO_ACT = {visits.GroundRecorded, visits.RulePackActivated, visits.RulePackWithdrawn, visits.DayPlanPublished}


SUPERVISOR = ActorRef("supervisor", "s-1")


def refs_of(type, data, actor=SUPERVISOR):
    envelope = Envelope(
        event_id=new_id(),
        source="/visits",
        type=type,
        occurred_at=system_now(),
        subject=new_id(),
        partition_key=new_id(),
        sequence=1,
        actor=actor,
        correlation_id="c",
        lender_id="lender-1",
    )
    place = Partition(EVENTS[type].topic, 0)
    value = json.dumps(data).encode()
    return draft_of(Record(place, 0, "k", envelope.headers(), value), system_now()).refs


def ids_in(value, name=""):
    """Each (name, id) anywhere in an event's data."""
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in ids_in(item, key)]
    if isinstance(value, list):
        return [each for item in value for each in ids_in(item, name)]
    return [(name, value)] if isinstance(value, str) and is_id(value) else []


@pytest.mark.parametrize("type", EVENTS)
def test_every_event_is_found_by_each_subject_that_it_names(type):
    data = sample_of(EVENTS[type])
    refs = refs_of(type, data)
    kinds = {"case": 0, "visit": 0, "collector": 0, "debtor": 0, "promise": 0}
    named = [
        (name, id) for name, id in ids_in(data) for kind in kinds if name.rstrip("s").removesuffix("_id").endswith(kind)
    ]
    for name, id in named:
        assert any(ref.endswith(id) for ref in refs), f"{type} names {name} and is not found by it"
    assert len(refs) == len({id for _, id in named})


@pytest.mark.parametrize("event", [e for e in EVENTS.values() if e.topic == visits.TOPIC and e not in NO_ACT])
def test_each_event_of_a_visit_names_the_collectors(event):
    assert "collector" in SUBJECTS_OF[event.type].values()


@pytest.mark.parametrize("type", EVENTS)
def test_what_a_collector_did_is_found_by_the_collector(type):
    data = sample_of(EVENTS[type])
    assert f"collector:{COLLECTOR}" in refs_of(type, data, ActorRef("collector", str(COLLECTOR)))
    assert "collector:development" not in str(refs_of(type, data, ActorRef("collector", "development")))
