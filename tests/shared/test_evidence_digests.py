"""Digests and ids of evidence that stand for nothing are refused at every door."""

import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from services.visits.visit.schemas import Evidence
from shared.bodies import Digest

NOTHING = ["", " ", "0" * 64, hashlib.sha256(b"").hexdigest(), "00000000-0000-0000-0000-000000000000"]


@pytest.mark.parametrize("form", [Digest, Evidence], ids=["digest", "evidence"])
@pytest.mark.parametrize("value", NOTHING)
def test_the_digest_of_nothing_is_no_evidence(form, value):
    with pytest.raises(ValidationError):
        TypeAdapter(form).validate_python(value)


@pytest.mark.parametrize("value", ["5a" * 32, "0" * 63 + "1", hashlib.sha256(b"a letter").hexdigest()])
def test_a_digest_is_evidence(value):
    assert TypeAdapter(Digest).validate_python(value) == value
