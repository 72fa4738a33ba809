"""A pack that cannot be used is refused in words that name file, rule and field; and versions of packs."""

from datetime import date, timedelta

import pytest

from shared.law import OutOfPlace, PackInvalid, difference, load_packs, read_pack, shipped
from shared.law.kinds import KINDS, Kind
from shared.law.kinds.times import NoHoliday

HEAD = """
id: xx
version: "1"
title: {en: Some country, zh: 某國某地}
rules:
"""
RULE = """  - id: xx-hours
    kind: hours-window
    steps: [DISPATCH]
    effect: block
    authority: law
    verified: primary
    source: Some Act
    parameters: {from: 08:00, until: 20:00}
    says: {en: Only in the daytime., zh: 僅限日間。}
"""
PACK = HEAD + RULE


def pack(*changes: tuple[str, str], text: str = PACK):
    for change in changes:
        assert change[0] in text
        text = text.replace(*change)
    return read_pack("xx.yaml", text.encode())


def test_a_sound_pack_is_read():
    assert pack().rules[0].parameters.from_.hour == 8
    assert len(pack().digest) == 64


WRONG = [
    (("from: 08:00", "from: 21:00"), "rule xx-hours: field parameters: the window is reversed"),
    (("from: 08:00, until: 20:00", "from: 00:00, until: 23:59:59"), "could never fire"),
    (("from: 08:00, until: 20:00", "from: 08:00"), "field parameters.until: is missing"),
    (("from: 08:00", "from: half past eight"), "field parameters.from: must be a time of day such as 08:00"),
    (("until: 20:00", "until: 20:00, till: 3"), "field parameters.till: is not known here; there are: from, until"),
    (("kind: hours-window", "kind: moon-phase"), "the kind 'moon-phase' is unknown; there are hours-window"),
    (("    source: Some Act\n", ""), "rule xx-hours: field source: is missing"),
    (("steps: [DISPATCH]", "steps: []"), "never be judged"),
    (("steps: [DISPATCH]", "steps: [LUNCH]"), "'LUNCH' is not allowed; allowed: 'INTAKE'"),
    (("steps: [DISPATCH]", "steps: [DISPATCH, DISPATCH]"), "a step is there twice"),
    (("effect: block", "effect: maybe"), "field effect: 'maybe' is not allowed; allowed: 'block'"),
    (("effect: block", "effect: retain"), "belongs to the kinds retention and deadline"),
    (("effect: block", "effect: record-incomplete"), "belongs to the step COMPLETION alone"),
    (
        ("verified: primary", "verified: primary\n    effective_from: 2026-02-01\n    effective_to: 2026-01-01"),
        "effective_to must be after effective_from",
    ),
    (("verified: primary", "verified: primary\n    effective_from: soon"), "must be a date such as 2026-01-30"),
    (("verified: primary", "verified: primary\n    enabled: maybe"), "field enabled: must be true or false"),
    (("source: Some Act", 'source: "     "'), "field source: must have at least 3 characters"),
    (("verified: primary", "verified: primary\n    surprise: 1"), "field surprise: is not known here"),
    (("verified: primary", "verified: primary\n    override: SOMETIMES"), "the override 'SOMETIMES' is unknown"),
    (("verified: primary", "verified: primary\n    override: xx-hours"), "cannot be its own override"),
    (("verified: primary", "verified: primary\n    override: xx-other"), "there is no rule xx-other in this pack"),
    (("id: xx-hours", "id: yy-hours"), "must begin with xx-"),
    (("id: xx-hours", "id: Hours!"), "must be of the form"),
    (("en: Only in the daytime., ", ""), "field says.en: is missing"),
    (('version: "1"', "version: 1"), "xx.yaml: field version: must be text"),
    (('version: "1"', 'version: "a/b ü"'), "field version: 'a/b ü' must be of the form"),
    (('version: "1"', 'version: ".."'), "field version: '..' must be of the form"),
    (("rules:", "rules: !!python/object:os.system\n# "), "tags are not allowed"),
    (("says: {", "says: &words {"), "anchors"),
    (("source: Some Act", "source: *act"), "anchors (&) and aliases (*)"),
    (("source: Some Act", "source: Some Act\n    source: Another"), "the field 'source' is there twice"),
    (("title:", "title: ["), "not YAML"),
    (("rules:", "rules: []\nother:"), "xx.yaml: field rules:"),
    (("kind: hours-window", "kind: retention"), "is read, not judged"),
    (("source: Some Act", "source: Some\tAct\x00"), "not YAML"),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(PackInvalid) as refused:
        pack(change)
    assert str(refused.value).startswith("xx.yaml")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("cap", "{counts: contact_visits, at_most: 0, days: 7}", "at_most"),
        ("cap", "{counts: contact_visits, at_most: 1, days: 0}", "days: must be greater than or equal to 1"),
        ("cap", "{counts: moons, at_most: 1, days: 7}", "'moons' is not allowed; allowed: 'contact_visits', "),
        ("cap", "{counts: calls, at_most: yes, days: 7}", "at_most: must be a whole number; found 'yes'"),
        ("staff", "{}", "could never fire"),
        ("forbidden-place", "{}", "could never fire"),
        (
            "forbidden-person",
            "{allowed: [DEBTOR, CO_DEBTOR, GUARANTOR, AUTHORISED_REPRESENTATIVE, THIRD_PARTY]}",
            "never",
        ),
        ("required-fact", "{any_of: [credential_shown]}", "credentials_shown"),
        ("moratorium", "{reasons: []}", "reasons"),
        ("hold", "{reasons: [REPRESENTED], lets_through: {DECEASED: [PICKUP]}}", "none of the reasons"),
        ("notice", "{notice: VISIT, only_if: [unannounced]}", "could never be satisfied"),
        ("people-needed", "{at_least: 0}", "at_least"),
        ("people-needed", "{at_least: 1}", "at_least: must be greater than or equal to 2"),
        ("hours-window", '{from: "07:00+08:00", until: 20:00}', "a time of day bears no zone"),
        ("cap", "{counts: contact_visits, at_most: 1, days: 4000000}", "days: must be less than or equal to 3660"),
        ("cap", "{counts: contact_visits, at_most: 4000000, days: 1}", "at_most: must be less than or equal to 1000"),
        ("cool-off", "{after: conversations, days: 9999999}", "days: must be less than or equal to 3660"),
        ("moratorium", "{reasons: [WEDDING], days_max: 9999999}", "days_max: must be less than or equal to 3660"),
        ("notice-within", "{notice: VALIDATION, days: 9999999}", "days: must be less than or equal to 3660"),
        ("review-due", "{fact: agency_reviewed_on, within_months: 999999}", "within_months: must be less than"),
        ("staff", "{assessed_within_months: 999999}", "assessed_within_months: must be less than"),
        ("term-limit", "{at_most_months: 999999}", "at_most_months: must be less than"),
        ("position", "{distance_m: 9.9, accuracy_m: 1.0, clock_offset_seconds: 99999999.9}", "clock_offset_seconds"),
    ],
)
def test_parameters_that_say_nothing_are_refused(kind, parameters, words):
    with pytest.raises(PackInvalid, match=words):
        pack(("kind: hours-window", f"kind: {kind}"), ("{from: 08:00, until: 20:00}", parameters))


def test_a_rule_that_fails_on_a_sound_act_is_refused(monkeypatch):
    def fails(parameters, facts, moment):
        return moment.local + timedelta(days=9_999_999)

    monkeypatch.setitem(KINDS, "no-holiday", Kind(NoHoliday, fails))
    with pytest.raises(PackInvalid, match=r"xx.yaml: rule xx-hours: it cannot be judged: .*OverflowError"):
        pack(("kind: hours-window", "kind: no-holiday"), ("    parameters: {from: 08:00, until: 20:00}\n", ""))


OUT_OF_STEP = [
    ("forbidden-conduct", "{conduct: [NOTICE_POSTED]}", "PLAN", "COMPLETION"),
    ("term-limit", "{at_most_months: 60}", "PLAN", "COMPLETION"),
    ("cap", "{counts: calls, at_most: 7, days: 7}", "DISPATCH", "CALL"),
    ("cap", "{counts: contact_visits, at_most: 7, days: 7}", "CALL", "PLAN, DISPATCH, CHECK_IN, COMPLETION"),
    ("cap", "{counts: person_visits, at_most: 7, days: 7}", "CALL", "PLAN, DISPATCH, CHECK_IN, COMPLETION"),
    ("count-cap", "{fact: calls_effective_today, at_most: 3}", "PLAN", "CALL"),
    ("cool-off", "{after: conversations, days: 7}", "PLAN", "CALL"),
    ("people-needed", "{at_least: 2}", "CALL", "PLAN, DISPATCH, CHECK_IN, COMPLETION"),
    ("location-inquiry", "{}", "DISPATCH", "CALL, LETTER"),
    ("required-fact", "{any_of: [recordings]}", "DISPATCH", "COMPLETION"),
    ("forbidden-fact", "{fact: third_party_data}", "PLAN", "INTAKE"),
]


@pytest.mark.parametrize(("kind", "parameters", "step", "known"), OUT_OF_STEP, ids=[row[0] for row in OUT_OF_STEP])
def test_a_rule_at_a_step_that_knows_nothing_of_it_is_refused(kind, parameters, step, known):
    told = (("kind: hours-window", f"kind: {kind}"), ("{from: 08:00, until: 20:00}", parameters))
    with pytest.raises(PackInvalid, match=f"rule xx-hours: field steps: at {step} nothing .* it belongs to {known}$"):
        pack(*told, ("[DISPATCH]", f"[{known}, {step}]"))
    assert pack(*told, ("[DISPATCH]", f"[{known}]")).rules


@pytest.mark.parametrize(
    ("parameters", "words"),
    [("{matter: complaint}", "exactly one"), ("{matter: complaint, days: 3, months: 1}", "one of")],
)
def test_a_deadline_has_one_unit(parameters, words):
    with pytest.raises(PackInvalid, match=words):
        pack(
            ("kind: hours-window\n    steps: [DISPATCH]\n    effect: block", "kind: deadline\n    effect: deadline"),
            ("{from: 08:00, until: 20:00}", parameters),
        )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#" * 10_000_000, "larger than 500,000 bytes"),
        (b"[" * 400_000, "nested deeper"),
        (b"\xef\xbb\xbf" + PACK.encode(), "byte order mark"),
        (PACK.encode("utf-16"), "byte order mark"),
        (PACK.encode("big5", "replace"), "line 4: not UTF-8"),
        (b"- a\n- b", "a pack has the fields id, version, title"),
        (b"", "a pack has the fields"),
        (b"id: a\n---\nid: b", "second document"),
        (b"1: a", "a field's name must be text"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "anchors"),
        (PACK.replace("- id: xx-hours", "- just words").encode(), "not YAML"),
        ((HEAD + "  - just words\n").encode(), "rule number 1: must be a mapping of fields"),
    ],
    ids=str,
)
def test_files_that_are_no_packs(content, words):
    with pytest.raises(PackInvalid) as refused:
        read_pack("xx.yaml", content)
    assert words in str(refused.value)


def dated(text: str, start: str | None, end: str | None) -> str:
    dates = "".join(f"    {name}: {day}\n" for name, day in (("effective_from", start), ("effective_to", end)) if day)
    return text.replace("    source:", dates + "    source:")


def test_an_id_may_stand_twice_only_at_different_times():
    first, second = dated(RULE, None, "2026-07-01"), dated(RULE, "2026-07-01", None)
    found = pack(text=HEAD + first + second)
    assert [rule.in_force(date(2026, 7, 1)) for rule in found.rules] == [False, True]
    for other in (RULE, dated(RULE, "2026-06-30", None), dated(RULE, "2026-01-01", "2026-02-01")):
        with pytest.raises(PackInvalid, match="xx-hours: is there twice with overlapping dates"):
            pack(text=HEAD + first + other)


def test_overrides_in_a_ring_are_refused():
    def rule(name: str, override: str) -> str:
        return RULE.replace("id: xx-hours", f"id: xx-{name}").replace(
            "source:", f"override: xx-{override}\n    source:"
        )

    with pytest.raises(PackInvalid, match="cyclic: xx-a → xx-b → xx-c → xx-a"):
        pack(text=HEAD + rule("a", "b") + rule("b", "c") + rule("c", "a"))


def test_a_ring_through_a_later_version_of_a_rule_is_refused():
    def rule(name: str, override: str | None, start: str | None, end: str | None) -> str:
        lifted = f"override: xx-{override}\n    source:" if override else "source:"
        return dated(RULE.replace("id: xx-hours", f"id: xx-{name}").replace("source:", lifted), start, end)

    first, second = rule("a", None, None, "2026-07-01"), rule("a", "b", "2026-07-01", None)
    with pytest.raises(PackInvalid, match="cyclic: xx-a → xx-b → xx-a"):
        pack(text=HEAD + first + second + rule("b", "a", None, None))


def test_a_rule_that_is_never_judged_together_with_another_cannot_lift_it():
    lifted = RULE.replace("source:", "override: xx-other\n    source:")
    other = RULE.replace("xx-hours", "xx-other")
    assert pack(text=HEAD + lifted + other).rules
    for apart in (other.replace("DISPATCH", "PLAN"), dated(other, None, "2026-07-01")):
        with pytest.raises(PackInvalid, match="rule xx-hours: field override: xx-other is never judged"):
            pack(text=HEAD + dated(lifted, "2026-07-01", None) + apart)


def test_the_old_version_stays_in_force_when_the_new_one_is_refused():
    law = shipped().with_version(pack())
    with pytest.raises(PackInvalid):
        law.with_version(pack(("from: 08:00", "from: 21:00")))
    assert law.packs_for("xx", date(2026, 1, 1))[-1].version == "1"


def test_the_newest_version_whose_day_has_come_is_in_force():
    second, third = pack(('"1"', '"2"')), pack(('"1"', '"3"'))
    law = shipped().with_version(pack(), date(2026, 1, 1)).with_version(third, date(2026, 3, 1))
    law = law.with_version(second, date(2026, 2, 1))

    def version(day: date) -> str | None:
        found = law.in_force("xx", day)
        return found.version if found else None

    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 31), date(2026, 2, 1), date(2026, 3, 1)]
    assert [version(day) for day in days] == [None, "1", "1", "2", "3"]
    assert [each.id for each in law.packs_for("xx", days[0])] == ["house"]
    again = law.with_version(pack(('"1"', '"4"')), date(2026, 3, 1))
    assert again.packs_for("xx", date(2026, 3, 2))[-1].version == "4"


def test_a_pack_lies_within_one_that_is_in_force():
    with pytest.raises(OutOfPlace, match="no pack zz"):
        shipped().with_version(pack(("id: xx\n", "id: xx\nwithin: zz\n")))
    ring = shipped().with_version(pack(("id: xx\n", "id: xx\nwithin: us-ma\n")))
    text = load_packs()["us"].text.replace("id: us\n", "id: us\nwithin: xx\n")
    with pytest.raises(OutOfPlace, match="ring"):
        ring.with_version(read_pack("us.yaml", text.encode()))


def test_a_difference_is_told_rule_by_rule():
    old = pack()
    second = RULE.replace("xx-hours", "xx-more")
    changed = pack(
        ("until: 20:00", "until: 19:30, until_included: true"),
        ("verified: primary", "verified: secondary"),
        ("Some country", "Another"),
        text=PACK + second,
    )
    words = [change.en for change in difference(old, changed)]
    assert words == [
        "pack: title.en was Some country, is now Another.",
        "xx-hours: verified was primary, is now secondary.",
        "xx-hours: parameters.until was 20:00, is now 19:30.",
        "xx-hours: parameters.until_included was False, is now True.",
        "xx-more is new.",
    ]
    assert [change.zh for change in difference(changed, old)][-1] == "刪除規則 xx-more。"
    assert difference(old, old) == []
    assert [change.rule_id for change in difference(None, old)] == ["xx-hours"]


@pytest.mark.parametrize("shipped_pack", load_packs().values(), ids=lambda each: each.id)
def test_the_shipped_packs_say_what_the_domain_asks(shipped_pack):
    for rule in shipped_pack.rules:
        assert rule.source
        assert rule.says.en.endswith(".")
        assert rule.says.zh.endswith("。")
        assert rule.verified != "unverified" or not rule.blocks
