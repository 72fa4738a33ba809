"""Days and moments out of bounds: refused in words at the door, so that nothing of the law leaves the calendar."""

from datetime import date, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.law import Facts, LegalDay, LegalMoment, Step, earliest_lawful, evaluate, screen, shipped
from shared.law.stories import load_stories

SOUND = [Facts.model_validate(of_pack.sound) for of_pack in load_stories()]
FIRST, LAST = "1900-01-01T00:00:00+14:00", "2199-12-31T23:59:59-12:00"


@pytest.mark.parametrize(
    ("form", "told", "words"),
    [
        (LegalDay, "9999-12-31", "the year must lie between 1900 and 2199; found 9999"),
        (LegalDay, "1899-12-31", "found 1899"),
        (LegalDay, 86_400, "a number is neither day nor time"),
        (LegalMoment, "9999-12-31T23:59:59Z", "found 9999"),
        (LegalMoment, "0001-01-01T00:00:00+14:00", "found 1"),
        (LegalMoment, 1_760_000_000, "a number is neither day nor time"),
        (LegalMoment, "1760000000", "a number is neither day nor time"),
        (LegalMoment, "2026-03-02T10:00:00", "timezone"),
    ],
)
def test_a_day_or_moment_out_of_bounds_is_refused_in_words(form, told, words):
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(form).validate_python(told)


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "9999-12-31T23:59:59Z"},
        {"ends_at": "9999-12-31T23:59:59Z"},
        {"notices": {"VISIT": "0001-01-01T00:00:00+14:00"}},
        {"contact_visits": ["9999-12-31T23:59:59Z"]},
        {"quiet_periods": [{"reason": "BREATHING_SPACE", "first_day": "9999-12-31"}]},
        {"agency_reviewed_on": "9999-12-31"},
        {"collectors": [{"ref": "a", "last_assessed_on": "9999-12-31"}]},
    ],
    ids=str,
)
def test_facts_out_of_bounds_are_refused(changes):
    with pytest.raises(ValidationError, match="the year must lie between"):
        Facts.model_validate({**SOUND[0].model_dump(), **changes})


@pytest.mark.parametrize("sound", SOUND, ids=lambda facts: facts.jurisdiction)
@pytest.mark.parametrize("edge", [FIRST, LAST])
@pytest.mark.parametrize("step", list(Step))
def test_the_first_and_the_last_moment_are_judged_like_any_other(sound, edge, step):
    at = datetime.fromisoformat(edge)
    quiet = [{"reason": "BREATHING_SPACE", "first_day": at.date()}]
    told = Facts.model_validate(
        {
            **sound.model_dump(),
            "at": at,
            "ends_at": None,
            "quiet_periods": quiet,
            "contact_visits": [at],
            "asked_to_leave": [at],
            "calls": [at],
            "conversations": [at],
            "first_contact_at": at,
        }
    )
    packs = shipped().packs_of(told)
    assert evaluate(packs, step, told).time_zone
    found = earliest_lawful(shipped(), told, after=at, step=step)
    assert found.at is None or found.at <= at + timedelta(days=61)
    assert screen(packs, told, date.fromisoformat(edge[:10]), step)
