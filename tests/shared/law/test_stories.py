"""For each rule of each pack two stories at least: one that passes, and one that is stopped or warned of."""

import pytest

from shared.law import Verdict, load_packs, shipped
from shared.law.stories import load_stories, tell

STORIES = [(of_pack, story) for of_pack in load_stories() for story in of_pack.stories]


@pytest.mark.parametrize(("of_pack", "story"), STORIES, ids=[f"{story.rule}-{story.verdict}" for _, story in STORIES])
def test_a_story_comes_out_as_it_is_told(of_pack, story):
    told = tell(shipped(), of_pack, story)
    assert told.verdict is story.verdict, (told.sentence_en, told.rules)
    assert story.rule in told.rules
    assert told.as_expected
    assert told.sentence_en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in told.sentence_zh)


@pytest.mark.parametrize("pack", load_packs().values(), ids=lambda pack: pack.id)
def test_each_rule_has_one_story_that_passes_and_one_that_does_not(pack):
    told = {(story.rule, story.verdict is Verdict.PASS) for of_pack, story in STORIES if of_pack.pack == pack.id}
    rules = {rule.id for rule in pack.rules}
    assert told == {(rule, passes) for rule in rules for passes in (True, False)}


def test_a_story_that_differs_is_seen():
    of_pack, story = STORIES[0]
    assert not tell(shipped(), of_pack, story.model_copy(update={"verdict": Verdict.BLOCK})).as_expected
    assert not tell(shipped(), of_pack, story.model_copy(update={"rule": "house-none"})).as_expected
