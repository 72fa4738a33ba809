"""Rule packs: the law as data. A pack is a YAML file; what is wrong with one is said in words that a lawyer knows:
file, line, rule, field, and what is allowed. A pack is sound as a whole, or it is refused.
"""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from shared.law.kinds import KINDS
from shared.law.rules import Rule, RuleText, Words
from shared.law.terms import Step
from shared.law.trial import try_rule
from shared.law.wording import what_is_wrong
from shared.plain_yaml import NotPlain, read_plain

PACKS = Path(__file__).with_name("packs")
PACK_ID = r"^[a-z]{2,5}(-[a-z]{2,3})?$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"  # it stands in addresses
RULES_MAX = 300


class PackInvalid(ValueError):
    """A pack that cannot be used; each line of the message names file, rule and field, and what is allowed."""


class PackText(BaseModel):
    """A pack as it stands in the file. `within` names the pack of the larger place whose law applies as well."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(pattern=PACK_ID)
    version: str = Field(pattern=VERSION)
    title: Words
    within: str | None = Field(None, pattern=PACK_ID)
    rules: list[RuleText] = Field(min_length=1, max_length=RULES_MAX)


@dataclass(frozen=True)
class RulePack:
    """A set of rules with its version and the SHA-256 (hex) of its text."""

    id: str
    version: str
    title: Words
    digest: str
    rules: tuple[Rule, ...]
    within: str | None = None
    text: str = field(default="", repr=False, compare=False)

    @cached_property
    def by_step(self) -> dict[Step, tuple[Rule, ...]]:
        return {step: tuple(rule for rule in self.rules if step in rule.steps) for step in Step}

    def judged_at(self, step: Step) -> tuple[Rule, ...]:
        return self.by_step[step]


def read_pack(name: str, content: bytes) -> RulePack:
    """Read a pack from the bytes of its file, called `name` in messages. Raises PackInvalid."""
    try:
        document = read_plain(content)
    except NotPlain as error:
        raise PackInvalid(f"{name}: {error}") from None
    if not isinstance(document, dict):
        raise PackInvalid(f"{name}: a pack has the fields {', '.join(PackText.model_fields)}")
    text, rules = _held_to_schema(name, document)
    _check_together(name, text.id, rules)
    for rule in rules:
        _try_out(name, rule)
    return RulePack(
        id=text.id,
        version=text.version,
        title=text.title,
        within=text.within,
        digest=hashlib.sha256(content).hexdigest(),
        rules=tuple(rules),
        text=content.decode(),
    )


def _held_to_schema(name: str, document: dict[str, Any]) -> tuple[PackText, list[Rule]]:
    """The pack and its rules. Raises PackInvalid with everything that is wrong."""
    try:
        pack = PackText.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise PackInvalid("\n".join(_in_words(name, document, e["loc"], e, PackText) for e in error.errors())) from None
    rules, wrong = [], []
    for number, text in enumerate(pack.rules):
        form = KINDS[text.kind].parameters
        try:
            rules.append(Rule.of(text, form.model_validate_json(json.dumps(text.parameters))))
        except ValidationError as error:
            where = ("rules", number, "parameters")
            wrong += [_in_words(name, document, (*where, *e["loc"]), e, form) for e in error.errors()]
    if wrong:
        raise PackInvalid("\n".join(wrong))
    return pack, rules


def _in_words(
    name: str,
    document: dict[str, Any],
    where: tuple[int | str, ...],
    found: ErrorDetails,
    form: type[BaseModel],
) -> str:
    """One error: file, line and rule where there is one, field, and what is allowed."""
    place, path = name, list(where)
    if len(path) >= 2 and path[0] == "rules" and isinstance(path[1], int):
        entry = document["rules"][path[1]]
        line, called = getattr(entry, "line", None), entry.get("id") if isinstance(entry, dict) else None
        place += f", line {line}" if line else ""
        place += f": rule {called or f'number {path[1] + 1}'}"
        form = RuleText if form is PackText else form
        path = path[2:]
    field_name = ".".join(map(str, path))
    return f"{place}: " + (f"field {field_name}: " if field_name else "") + what_is_wrong(found, form)


def _check_together(name: str, pack_id: str, rules: list[Rule]) -> None:
    """What no rule can see alone: the same id twice at a time, and overrides that lead nowhere or in a ring."""
    by_id: dict[str, list[Rule]] = {}
    for rule in rules:
        if not rule.id.startswith(f"{pack_id}-"):
            raise PackInvalid(f"{name}: rule {rule.id}: field id: must begin with {pack_id}-, its pack's id")
        for other in by_id.setdefault(rule.id, []):
            if rule.overlaps(other):
                raise PackInvalid(
                    f"{name}: rule {rule.id}: is there twice with overlapping dates; let effective_to of the earlier "
                    "one be effective_from of the later one"
                )
        by_id[rule.id].append(rule)
    for rule in rules:
        if out_of_step := rule.out_of_step():
            raise PackInvalid(f"{name}: rule {rule.id}: field steps: {out_of_step}")
        _check_override(name, rule, by_id)
    sound: set[str] = set()
    for rule in rules:
        _check_for_rings(name, [rule.id], by_id, sound)


def _check_override(name: str, rule: Rule, by_id: dict[str, list[Rule]]) -> None:
    """A rule that lifts another is judged with it: at a common step, on a common day."""
    if rule.override is None or "-" not in rule.override:
        return
    lifting = by_id.get(rule.override)
    if lifting is None:
        raise PackInvalid(f"{name}: rule {rule.id}: field override: there is no rule {rule.override} in this pack")
    if not any(rule.overlaps(other) and set(rule.steps) & set(other.steps) for other in lifting):
        raise PackInvalid(
            f"{name}: rule {rule.id}: field override: {rule.override} is never judged at the same step on the same "
            "day, so that it could never lift this rule"
        )


def _check_for_rings(name: str, path: list[str], by_id: dict[str, list[Rule]], sound: set[str]) -> None:
    """No rule leads back to itself, in whichever of its versions. `sound` are those from which no ring is reached."""
    if path[-1] in sound:
        return
    for version in by_id[path[-1]]:
        if version.override in by_id:
            onwards = [*path, version.override]
            if version.override in path:
                raise PackInvalid(f"{name}: rule {path[0]}: field override: cyclic: {' → '.join(onwards)}")
            _check_for_rings(name, onwards, by_id, sound)
    sound.add(path[-1])


def _try_out(name: str, rule: Rule) -> None:
    """A rule that fails on a sound act would stop every decision of its place: it is found out when it is read."""
    try:
        try_rule(rule)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise PackInvalid(
            f"{name}: rule {rule.id}: it cannot be judged: on a sound act it fails with {error!r}; mend its parameters"
        ) from None


@cache
def load_packs() -> dict[str, RulePack]:
    """The packs that ship with the project, by id."""
    packs = [read_pack(path.name, path.read_bytes()) for path in sorted(PACKS.glob("*.yaml"))]
    return {pack.id: pack for pack in packs}
