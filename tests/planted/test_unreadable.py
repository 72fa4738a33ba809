"""A record that is none of our events: neither the dead letter's reason nor the trail repeats a word of it."""

import json

import pytest

from services.audit.trail.entries import draft_of
from shared.bus.transport import Partition, Record
from shared.clock import system_now
from shared.events.cases import TOPIC, CaseHeld
from shared.events.envelope import Envelope, Undecodable
from shared.events.registry import read_event
from shared.ids import new_id
from tests.planted.markers import Markers

SOUND = {
    "ce_id": str(new_id()), "ce_source": "/cases", "ce_type": CaseHeld.type, "ce_time": "2026-03-02T10:00:00+08:00",
    "ce_subject": str(new_id()), "ce_partitionkey": str(new_id()), "ce_sequence": "1", "ce_actor": "system:doorstep",
    "ce_correlationid": "thread-1",
}  # fmt: skip
NAMES = ("ce_id", "ce_time", "ce_subject", "ce_partitionkey", "ce_sequence", "ce_type")


def reason_of(record):
    with pytest.raises(Undecodable) as caught:
        read_event(Envelope.from_headers(record.headers).type, record.value)
    return str(caught.value)


@pytest.mark.parametrize("name", [*NAMES, "(field)", "(value)", "(body)"])
def test_the_reason_quotes_nothing(name):
    markers = Markers()
    headers, data = dict(SOUND), {}
    if name in NAMES:
        headers[name] = markers.text(name)
    elif name == "(field)":
        data = {markers.text(name): {"x": 1}, "case_id": {markers.text(name): 1}}
    else:
        data = {"case_id": markers.text(name), "hold_id": markers.text(name)}
    value = markers.text(name).encode() if name == "(body)" else json.dumps(data).encode()
    record = Record(Partition(TOPIC, 0), 0, "k", headers, value)
    assert markers.found_in(reason_of(record)) == set()
    draft = draft_of(record, system_now())
    assert draft.type == "trail.rejected"
    assert markers.found_in(str(draft)) == set()
