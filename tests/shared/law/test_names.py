"""Sentences for a supervisor: what can stand in one has its name in two languages, and no code stands in one."""

import re
from itertools import chain
from typing import get_args

import pytest

from shared.law import Facts, Step, Verdict, evaluate, names, shipped, terms
from shared.law.facts import CollectorFacts
from shared.law.kinds.conditions import _ANSWERS
from shared.law.kinds.people import Merit, Stain
from shared.law.kinds.records import Forbidden, Required
from shared.law.names import name_of
from shared.law.stories import load_stories, tell

CODE = re.compile(r"\w+_\w+|\b(?!DRA\b|FIELD\b)[A-Z]{3,}\b|[a-z]+:[A-Z]+|notices\.|collectors\.")
SOUND = {of_pack.pack: Facts.model_validate(of_pack.sound) for of_pack in load_stories()}
NAMED = [
    (names.HOLDS, terms.HoldReason),
    (names.NOTICES, terms.NoticeKind),
    (names.CONDUCT, terms.Conduct),
    (names.DOCUMENTS, terms.Document),
    (names.GROUNDS, [*terms.ConsentScope, *terms.OtherGround]),
    (names.QUIET, terms.QuietReason),
    (names.PLACES, terms.PlaceType),
    (names.PERSONS, terms.PersonMet),
    (names.SHOWN, get_args(Required)),
    (names.FOUND, get_args(Forbidden)),
    (names.AGAINST, [*get_args(Stain), *get_args(Merit), "last_assessed_on"]),
    (names.COLLECTORS, set(CollectorFacts.model_fields) - {"ref", "certificates"}),
]


@pytest.mark.parametrize(("table", "codes"), NAMED, ids=lambda each: "")
def test_every_code_has_its_name(table, codes):
    assert set(table) == set(codes)
    for en, zh in table.values():
        assert not CODE.search(en)
        assert re.fullmatch(r"[\u3000-\u9fff]+", zh)


def test_every_fact_that_can_be_missing_has_its_name():
    asked = chain(get_args(Required), get_args(Forbidden), (fact for fact, _ in _ANSWERS.values()))
    unknown = {name for name, field in Facts.model_fields.items() if field.default is None and name not in NEVER_ASKED}
    for fact in [*asked, *unknown]:
        en, zh = name_of(fact)
        assert en
        assert zh


NEVER_ASKED = {"ends_at", "region", "time_zone", "latitude", "longitude", "resolved"} | {
    "first_contact_at",
    "agent_changed_at",
    "arrangement_months",
}  # a rule that reads them does not apply where they are not known


def bare(jurisdiction: str) -> Facts:
    """An act of which nothing is known but when and where."""
    whole = SOUND[jurisdiction]
    return Facts(jurisdiction=jurisdiction, at=whole.at, country=whole.country, time_zone=whole.time_zone, indoor=True)


@pytest.mark.parametrize("jurisdiction", SOUND)
@pytest.mark.parametrize("step", list(Step))
def test_no_code_stands_in_a_sentence(jurisdiction, step):
    against = {
        "holds": [{"reason": reason} for reason in terms.HoldReason],
        "conduct": list(terms.Conduct),
        "quiet_periods": [{"reason": r, "first_day": SOUND[jurisdiction].at.date()} for r in terms.QuietReason],
        "carried": [],
        "person_met": "THIRD_PARTY",
        "address_verified": False,
        "place_type": "WORKPLACE",
        "collectors": [{"ref": "a", "cleared": False, "bad_credit": True}],
    }
    for facts in (bare(jurisdiction), Facts.model_validate(bare(jurisdiction).model_dump() | against)):
        for finding in evaluate(shipped().packs_of(facts), step, facts).findings:
            spoken = finding.reason_en.replace(f"the rule {finding.override}", "the rule")
            assert not CODE.search(spoken), spoken
            assert not re.search(r"[A-Za-z]+[_.:][A-Za-z]+", finding.reason_zh), finding.reason_zh


@pytest.mark.parametrize("of_pack", load_stories(), ids=lambda each: each.pack)
def test_no_code_stands_in_a_story(of_pack):
    for told in (tell(shipped(), of_pack, story) for story in of_pack.stories):
        assert not re.search(r"\w+_\w+", told.sentence_en + told.sentence_zh), told.sentence_en


def reasons(rule_id: str, step: Step, jurisdiction: str, **changes) -> tuple[str, str, Verdict]:
    facts = Facts.model_validate({**SOUND[jurisdiction].model_dump(), **changes})
    [found] = [f for f in evaluate(shipped().packs_of(facts), step, facts).findings if f.rule_id == rule_id]
    return found.reason_en, found.reason_zh, found.verdict


BORDERS = [
    (
        "cn",
        "22:00:00",
        "It is 22:00 at the debtor's place; allowed is from 08:00, before 22:00.",
        "22:00 前（不含 22:00）",
    ),
    (
        "tw",
        "22:00:01",
        "It is 22:00:01 at the debtor's place; allowed is from 07:00 until 22:00 inclusive.",
        "（含 22:00）",
    ),
]


@pytest.mark.parametrize(("jurisdiction", "time", "en", "zh"), BORDERS, ids=["cn", "tw"])
def test_a_sentence_on_a_border_does_not_contradict_itself(jurisdiction, time, en, zh):
    told = reasons(f"{jurisdiction}-hours", Step.DISPATCH, jurisdiction, at=f"2026-03-02T{time}+08:00")
    assert en in told[0]
    assert zh in told[1]
    assert told[0].endswith("Lifted by: the debtor's consent to the hour.")
    assert told[1].endswith("解除方式：債務人對時段之同意。")


def test_what_is_missing_is_to_be_recorded_first_but_never_afterwards():
    en, zh, verdict = reasons("house-address", Step.PLAN, "tw", address_verified=None)
    assert verdict is Verdict.BLOCK
    assert en.endswith("Not known, and needed: whether the address was verified. Record it first.")
    assert zh.endswith("缺少必要資料：地址是否經查證。請先登錄。")
    en, zh, verdict = reasons("tw-show-authority", Step.COMPLETION, "tw", authority_shown=None)
    assert verdict is Verdict.WARN
    assert "Record it" not in en
    assert "登錄" not in zh


def test_a_holiday_has_its_name_in_each_language():
    en, zh, _ = reasons("house-holiday", Step.PLAN, "tw", at="2026-02-28T10:00:00+08:00")
    assert "Peace Memorial Day" in en
    assert "和平紀念日" in zh
    en, zh, _ = reasons("house-holiday", Step.PLAN, "us", at="2026-12-25T10:00:00-05:00")
    assert "(Christmas Day)" in en
    assert "（Christmas Day）" in zh  # the calendar of the United States has no Chinese


def test_a_region_that_is_unknown_is_named():
    en, zh, verdict = reasons("house-holiday", Step.PLAN, "us-ma", region="ZZ")
    assert verdict is Verdict.BLOCK
    assert "No calendar of holidays is known for ZZ (US)." in en
    assert "查無 ZZ (US) 之假日曆。" in zh


def test_an_act_without_a_place_is_told_in_both_languages():
    facts = Facts.model_validate({**SOUND["tw"].model_dump(), "country": None, "latitude": 0.0, "longitude": -30.0})
    [finding] = evaluate(shipped().packs_of(facts), Step.PLAN, facts).deciding
    assert finding.reason_en == "The debtor's local time cannot be told: the position lies at sea."
    assert finding.reason_zh == "無法判定債務人當地時間：座標位於海上。"
