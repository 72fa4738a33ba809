"""What may be done with a version, as a table of pure decisions."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.differences import Change, changed_fields, flat, in_words
from shared.errors import DomainError
from shared.ids import new_id
from shared.versions import domain
from shared.versions.domain import Kind, Standing, Upload, Version, VersionStatus
from shared.versions.trial import EXAMPLES_MAX, Retried, Trial

PACK, PROFILE = Kind("pack", four_eyes=True), Kind("profile", four_eyes=False)
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
TODAY = NOW.date()
FIRST_DAY = TODAY + timedelta(days=5)
CHANGE = Change(None, "hours", 8, 9, "hours was 8, is now 9.", "hours 由 8 改為 9。")
ANNA, BERTA = "compliance:anna", "compliance:berta"


def version(number: int = 1, status: VersionStatus = VersionStatus.PROPOSED, **fields: Any) -> Version:
    sound = Version("tw", number, str(number), "00", status, FIRST_DAY, ANNA, NOW)
    return replace(sound, **fields)


def uploaded(name: str | None = None, day: date | None = FIRST_DAY, changes: tuple[Change, ...] = (CHANGE,)) -> Upload:
    return Upload("tw", "text", "00", changes, name=name, effective_from=day)


def test_a_second_person_decides_where_the_kind_says_so() -> None:
    proposed = domain.upload(PACK, uploaded("2027.1"), [version()], actor=ANNA, now=NOW)
    assert (proposed.number, proposed.name, proposed.status) == (2, "2027.1", VersionStatus.PROPOSED)
    approved = domain.approve(PACK, proposed, [version(), proposed], actor=BERTA, now=NOW)
    assert (approved.status, approved.decided_by, approved.uploaded_by) == (VersionStatus.ACTIVATED, BERTA, ANNA)
    at_once = domain.upload(PROFILE, uploaded(day=None), [], actor=ANNA, now=NOW)
    assert (at_once.name, at_once.status, at_once.effective_from) == ("1", VersionStatus.ACTIVATED, TODAY)


def test_the_same_content_again_is_the_same_version_where_one_person_decides() -> None:
    known = [version(1, VersionStatus.ACTIVATED), version(2, VersionStatus.ACTIVATED)]
    assert domain.upload(PROFILE, uploaded(changes=()), known, actor=BERTA, now=NOW) is known[-1]
    assert domain.upload(PROFILE, uploaded(changes=()), [], actor=BERTA, now=NOW).number == 1
    assert domain.upload(PACK, uploaded("again", changes=()), known, actor=BERTA, now=NOW).number == 3


ACTIVATED, REJECTED, WITHDRAWN = VersionStatus.ACTIVATED, VersionStatus.REJECTED, VersionStatus.WITHDRAWN
begun = {"effective_from": TODAY}


@pytest.mark.parametrize(
    ("decide", "of", "actor", "code"),
    [
        ("approve", version(), ANNA, "four-eyes"),
        ("approve", version(uploaded_by="admin:anna"), ANNA, "four-eyes"),
        ("reject", version(), ANNA, "four-eyes"),
        ("approve", version(status=ACTIVATED), BERTA, "pack-decided"),
        ("approve", version(status=REJECTED), BERTA, "pack-decided"),
        ("reject", version(status=WITHDRAWN), BERTA, "pack-decided"),
        ("approve", version(**begun), BERTA, "effective-too-early"),
        ("withdraw", version(status=ACTIVATED, **begun), ANNA, "pack-version-begun"),
        ("withdraw", version(status=REJECTED), ANNA, "pack-decided"),
        ("withdraw", version(status=WITHDRAWN), ANNA, "pack-decided"),
        ("approve", version(), BERTA, None),
        ("reject", version(), BERTA, None),
        ("reject", version(**begun), BERTA, None),
        ("withdraw", version(), ANNA, None),
        ("withdraw", version(**begun), ANNA, None),
        ("withdraw", version(status=ACTIVATED), BERTA, None),
    ],
)
def test_who_may_decide_what(decide: str, of: Version, actor: str, code: str | None) -> None:
    others = ([],) if decide == "approve" else ()

    def decided() -> Version:
        after: Version = getattr(domain, decide)(PACK, of, *others, actor=actor, now=NOW)
        return after

    if code is None:
        after = decided()
        assert actor in (after.decided_by, after.withdrawn_by)
        assert after.status != of.status
    else:
        with pytest.raises(DomainError) as refused:
            decided()
        assert refused.value.code == code


@pytest.mark.parametrize("hours_before_midnight_utc", [0, 10, 13, 14, 15])
def test_a_first_day_has_begun_nowhere_on_earth(hours_before_midnight_utc: int) -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    now = midnight - timedelta(hours=hours_before_midnight_utc)
    begun_in_kiribati = hours_before_midnight_utc <= 14
    if begun_in_kiribati:
        with pytest.raises(DomainError, match="2026-03-04"):
            domain.check_first_day(midnight.date(), now)
    else:
        domain.check_first_day(midnight.date(), now)


@pytest.mark.parametrize("day", [date.min, TODAY, date(2000, 1, 1)])
def test_no_version_of_the_past(day: date) -> None:
    with pytest.raises(DomainError) as refused:
        domain.upload(PACK, uploaded("x", day), [], actor=ANNA, now=NOW)
    assert refused.value.code == "effective-too-early"


def test_a_name_is_given_once_and_a_day_to_one_version() -> None:
    withdrawn, taken = version(1, WITHDRAWN, name="2027.1"), version(2, ACTIVATED, name="2027.2")
    with pytest.raises(DomainError, match=r"2027\.1") as refused:
        domain.upload(PACK, uploaded("2027.1"), [withdrawn], actor=BERTA, now=NOW)
    assert refused.value.code == "pack-version-exists"
    third = version(3, name="2027.3")
    with pytest.raises(DomainError, match=r"2027\.2") as refused:
        domain.approve(PACK, third, [withdrawn, taken, third], actor=BERTA, now=NOW)
    assert refused.value.code == "day-taken"
    assert domain.approve(PACK, third, [withdrawn, third], actor=BERTA, now=NOW).status == ACTIVATED


def test_the_newest_version_whose_day_has_come_is_in_force() -> None:
    days = [TODAY, FIRST_DAY, FIRST_DAY, TODAY + timedelta(days=1)]
    known = [version(n, ACTIVATED, effective_from=day) for n, day in enumerate(days, start=1)]
    known += [version(5, effective_from=TODAY), version(6, WITHDRAWN, effective_from=TODAY)]

    def on(day: date) -> int | None:
        found = domain.in_force(known, day)
        return found.number if found else None

    assert [on(TODAY - timedelta(days=1)), on(TODAY), on(TODAY + timedelta(days=1)), on(FIRST_DAY), on(date.max)] == [
        None, 1, 4, 3, 3,
    ]  # fmt: skip
    shown = [domain.standing(each.status, each.effective_from, TODAY, is_in_force=each.number == 1) for each in known]
    assert shown == [
        Standing.IN_FORCE, Standing.COMING, Standing.COMING, Standing.COMING, Standing.WAITING, Standing.WITHDRAWN,
    ]  # fmt: skip
    assert domain.standing(ACTIVATED, TODAY, FIRST_DAY, is_in_force=False) is Standing.REPLACED


def test_differences_name_each_field_of_a_nested_document_in_both_languages() -> None:
    old = flat({"columns": {"a": "甲", "b": "B"}, "gone": 0, "codes": {"product": {}}})
    new = flat({"columns": {"a": "乙", "b": "B"}, "codes": {"product": {"卡": "CREDIT_CARD"}}, "flag": False})
    words = in_words(list(changed_fields(old, new, ("profile", "檔案格式"))))
    assert words["en"] == [
        "profile: columns.a was 甲, is now 乙.",
        "profile: gone was 0, is now nothing.",
        "profile: codes.product.卡 was nothing, is now CREDIT_CARD.",
        "profile: flag was nothing, is now False.",
    ]
    assert words["zh"][0] == "檔案格式：columns.a 由 甲 改為 乙。"
    assert len(words["zh"]) == len(words["en"])


def test_a_trial_counts_each_part_and_keeps_few_examples() -> None:
    trial = Trial()
    acts = [new_id() for _ in range(EXAMPLES_MAX + 2)]
    for act in acts:
        trial.add(Retried(act, "pass", "block", parts_were={"hours": "pass"}, parts_would_be={"hours": "block"}))
    trial.add(Retried(new_id(), "pass", "pass", parts_were={"gone": "pass"}, parts_would_be={"hours": "pass"}))
    assert (trial.acts, trial.outcomes["pass", "block"]) == (len(acts) + 1, len(acts))
    hours, gone = trial.parts["hours"], trial.parts["gone"]
    assert (hours.changed, hours.examples) == (len(acts) + 1, acts[:EXAMPLES_MAX])
    assert hours.before == Counter({"pass": len(acts), "none": 1})
    assert (gone.before, gone.after) == (Counter({"pass": 1}), Counter({"none": 1}))
