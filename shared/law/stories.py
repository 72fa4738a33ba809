"""The stories that come with the packs: for each rule one that passes and one that is stopped or warned of, told in
two languages and tried against the gate. A story whose outcome differs is a fault of the pack or of the code.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.law.facts import Facts
from shared.law.gate import evaluate
from shared.law.kinds.periods import Matter, Records
from shared.law.periods import deadline_for, retention_for
from shared.law.register import Law
from shared.law.terms import Step, Verdict
from shared.plain_yaml import read_plain

STORIES = Path(__file__).with_name("stories")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Erasing(_Told):
    """Records of a class, made (or last active) on a day, are erased on another."""

    records: Records = Field(alias="class")
    made_on: date
    erased_on: date


class Answering(_Told):
    """Something came in on a day and is answered on another."""

    matter: Matter
    came_in_on: date
    answered_on: date
    country: str


class Story(_Told):
    """One story. An act is judged at its step; records are erased; a matter is answered: one of the three."""

    rule: str
    verdict: Verdict
    en: str
    zh: str
    step: Step | None = None
    change: dict[str, Any] = Field(default_factory=dict)
    records: Erasing | None = None
    answer: Answering | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Story":
        if sum(each is not None for each in (self.step, self.records, self.answer)) != 1:
            raise ValueError("a story names a step, records or an answer: exactly one")
        return self


class StoriesOfPack(_Told):
    pack: str
    sound: dict[str, Any]
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A story with what came of it: the verdict, the rules that made it (all that were judged, for a pass), and the
    sentence that a supervisor reads."""

    story: Story
    pack: str
    verdict: Verdict
    rules: frozenset[str]
    sentence_en: str
    sentence_zh: str

    @property
    def as_expected(self) -> bool:
        return self.verdict is self.story.verdict and self.story.rule in self.rules

    def to_json(self) -> dict[str, Any]:
        return {
            "rule_id": self.story.rule,
            "pack": self.pack,
            "step": self.story.step,
            "story": {"en": self.story.en, "zh": self.story.zh},
            "expected": self.story.verdict,
            "verdict": self.verdict,
            "sentence": {"en": self.sentence_en, "zh": self.sentence_zh},
        }


def load_stories() -> tuple[StoriesOfPack, ...]:
    """The stories that ship with the project."""
    return tuple(_read(path) for path in sorted(STORIES.glob("*.yaml")))


def _read(path: Path) -> StoriesOfPack:
    return StoriesOfPack.model_validate_json(json.dumps(read_plain(path.read_bytes())))


def tell(law: Law, of_pack: StoriesOfPack, story: Story) -> Told:
    """What comes of a story under a law."""
    sound = Facts.model_validate(of_pack.sound)
    if story.records:
        kept = retention_for(
            law.packs_for(sound.jurisdiction, story.records.erased_on), story.records.records, story.records.erased_on
        )
        until = kept.kept_until(story.records.made_on)
        verdict = Verdict.PASS if story.records.erased_on > until else Verdict.BLOCK
        return _told(of_pack, story, verdict, {kept.rule_id}, f"Kept until {until}.", f"保存至 {until}。")
    if story.answer:
        came_in, country = story.answer.came_in_on, story.answer.country
        due = deadline_for(law.packs_for(sound.jurisdiction, came_in), story.answer.matter, came_in, country=country)
        verdict = Verdict.PASS if story.answer.answered_on <= due.on else Verdict.WARN
        return _told(of_pack, story, verdict, {due.rule_id}, f"Due by {due.on}.", f"期限為 {due.on}。")
    facts = Facts.model_validate({**of_pack.sound, **story.change})
    decision = evaluate(law.packs_of(facts), story.step or Step.PLAN, facts)
    counted = decision.findings if decision.verdict is Verdict.PASS else decision.deciding
    found = {finding.rule_id: finding for finding in decision.findings}.get(story.rule)
    words = (found.reason_en, found.reason_zh) if found else ("The rule was not judged.", "本規則未經判定。")
    return _told(of_pack, story, decision.verdict, {finding.rule_id for finding in counted}, *words)


def _told(of_pack: StoriesOfPack, story: Story, verdict: Verdict, rules: set[str], en: str, zh: str) -> Told:
    return Told(story, of_pack.pack, verdict, frozenset(rules), en, zh)
