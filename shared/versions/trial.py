"""A dry run: what a version would have decided on past acts, counted part by part, with examples. Nothing is stored. A
part is what the version judges by, such as a rule."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

EXAMPLES_MAX = 5
NOT_JUDGED = "none"
Act = TypeVar("Act")


@dataclass(frozen=True, slots=True)
class Retried:
    """A past act: its outcome and those of its parts, as they were and as the version would make them."""

    act_id: UUID
    was: str
    would_be: str
    parts_were: Mapping[str, str]
    parts_would_be: Mapping[str, str]


@dataclass(slots=True)
class PartChange:
    """The outcomes of a part before and after, counted; and acts in which they differ."""

    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    examples: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """The acts on which a version has a say, counted. "none": a part was not judged."""

    acts: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    parts: dict[str, PartChange] = field(default_factory=dict)

    def add(self, act: Retried) -> None:
        self.acts += 1
        self.outcomes[act.was, act.would_be] += 1
        for name in sorted(act.parts_were.keys() | act.parts_would_be.keys()):
            change = self.parts.setdefault(name, PartChange())
            was, would_be = act.parts_were.get(name, NOT_JUDGED), act.parts_would_be.get(name, NOT_JUDGED)
            change.before[was] += 1
            change.after[would_be] += 1
            if was != would_be:
                change.changed += 1
                if len(change.examples) < EXAMPLES_MAX:
                    change.examples.append(act.act_id)


async def try_on(pages: AsyncIterable[Sequence[Act]], again: Callable[[Act], Retried | None]) -> Trial:
    """Judge past acts again, each page outside of the event loop. `again` returns None for an act on which the version
    has no say."""
    trial = Trial()
    async for page in pages:
        await asyncio.to_thread(_add_all, trial, page, again)
    return trial


def _add_all(trial: Trial, page: Sequence[Act], again: Callable[[Act], Retried | None]) -> None:
    for act in page:
        retried = again(act)
        if retried is not None:
            trial.add(retried)
