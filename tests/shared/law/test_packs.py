"""A pack that cannot be used is refused in words that name file, rule and field."""

import pytest

from shared.law import PackInvalid, read_pack

RULE = """
id: xx
version: "1"
title: {en: Some country, zh: 某國某地}
rules:
  - id: xx-hours
    kind: hours-window
    steps: [DISPATCH]
    effect: block
    authority: law
    verified: primary
    source: Some Act
    parameters: {from: "08:00", until: "20:00"}
    says: {en: Only in the daytime., zh: 僅限日間。}
"""


def test_a_sound_pack_is_read():
    pack = read_pack("xx.yaml", RULE.encode())
    assert pack.rules[0].parameters.from_.hour == 8
    assert len(pack.digest) == 64


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('from: "08:00"', 'from: "21:00"'), "reversed"),
        (("kind: hours-window", "kind: moon-phase"), "moon-phase"),
        (("    source: Some Act\n", ""), "xx-hours"),
        (("steps: [DISPATCH]", "steps: []"), "never be judged"),
        (("steps: [DISPATCH]", "steps: [LUNCH]"), "steps"),
        (("effect: block", "effect: maybe"), "effect"),
        (
            ("verified: primary", "verified: primary\n    effective_from: 2026-02-01\n    effective_to: 2026-01-01"),
            "after",
        ),
        (("verified: primary", "verified: primary\n    surprise: 1"), "surprise"),
        (("rules:", "rules: !!python/object:os.system\n# "), "tags are not allowed"),
        (("title:", "title: ["), "YAML"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(PackInvalid) as refused:
        read_pack("xx.yaml", RULE.replace(*change).encode())
    assert "xx.yaml" in str(refused.value)
    assert words in str(refused.value)


def test_a_rule_twice_and_a_huge_file_are_refused():
    second = RULE + RULE[RULE.index("  - id") :]
    with pytest.raises(PackInvalid, match="twice"):
        read_pack("xx.yaml", second.encode())
    with pytest.raises(PackInvalid, match="larger"):
        read_pack("xx.yaml", b"#" * 10_000_000)
