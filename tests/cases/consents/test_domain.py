"""Consents and preferences, as pure decisions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from services.cases.consents import domain
from services.cases.consents.domain import Channel
from shared.errors import Conflict, Invalid

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a Monday, in Taipei
HOUR = timedelta(hours=1)
MONDAY_AFTERNOON = [{"weekday": 1, "opens_at": "12:00", "closes_at": "14:00"}]


@dataclass
class Consent:
    given_at: datetime = NOON
    valid_until: datetime | None = None
    withdrawn_at: datetime | None = None


@pytest.mark.parametrize(
    ("consent", "at", "expected"),
    [
        (Consent(), NOON, True),
        (Consent(), NOON - HOUR, False),
        (Consent(valid_until=NOON + HOUR), NOON + HOUR / 2, True),
        (Consent(valid_until=NOON + HOUR), NOON + HOUR, False),
        (Consent(withdrawn_at=NOON + HOUR), NOON + HOUR, False),
        (Consent(valid_until=NOON + 3 * HOUR, withdrawn_at=NOON + HOUR), NOON + 2 * HOUR, False),
    ],
)
def test_a_consent_is_in_force_from_when_it_is_given_until_it_ends(consent, at, expected):
    assert domain.is_in_force(consent, at) is expected


@pytest.mark.parametrize(
    ("given_at", "valid_until", "code"),
    [
        (NOON + HOUR, None, "in-the-future"),
        (NOON - HOUR, NOON - HOUR, "consent-reversed"),
        (NOON - HOUR, NOON - 2 * HOUR, "consent-reversed"),
    ],
)
def test_a_consent_was_given_already_and_ends_later(given_at, valid_until, code):
    with pytest.raises(Invalid) as refused:
        domain.check_times(given_at, valid_until, NOON)
    assert refused.value.code == code


def test_a_consent_is_withdrawn_once_after_it_was_given():
    domain.check_withdrawal(NOON - HOUR, None, NOON, NOON)
    for at in (NOON - 2 * HOUR, NOON + HOUR):
        with pytest.raises(Invalid):
            domain.check_withdrawal(NOON - HOUR, None, at, NOON)
    with pytest.raises(Conflict):
        domain.check_withdrawal(NOON - HOUR, NOON, NOON, NOON)


@pytest.mark.parametrize(
    ("channels", "windows", "at", "expected"),
    [
        ([], [], NOON, True),
        (["SMS"], [], NOON, False),
        (["CALL"], MONDAY_AFTERNOON, NOON, True),
        ([], MONDAY_AFTERNOON, NOON + 2 * HOUR, False),
        ([], MONDAY_AFTERNOON, NOON - HOUR / 60, False),
        ([], MONDAY_AFTERNOON, NOON + timedelta(days=1), False),
    ],
)
def test_what_a_debtor_left_open_suits(channels, windows, at, expected):
    assert domain.suits(channels, windows, Channel.CALL, at, "Asia/Taipei") is expected
