"""Rule packs: the law as data. A pack is a YAML file; what is wrong with one is said in words that a lawyer knows.

A new law is a new file; a new kind of law is one function in kinds.py.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.law.terms import Step

PACKS = Path(__file__).with_name("packs")
PACK_BYTES_MAX = 1_000_000

Authority = Literal["law", "standard", "self-regulatory", "draft", "policy"]
Verified = Literal["primary", "secondary", "unverified"]
Effect = Literal["block", "warn", "record-incomplete", "retain"]


class PackInvalid(ValueError):
    """A pack that cannot be used; the message names file, rule and field, and what is allowed."""


class Says(BaseModel):
    """What a rule says, in plain words."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    en: str = Field(min_length=10)
    zh: str = Field(min_length=4)


class Title(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class HoursWindow(_Parameters):
    """Allowed from … until, local time. `until` is the first moment that is forbidden, unless `until_included`."""

    from_: time = Field(alias="from")
    until: time
    until_included: bool = False

    @field_validator("from_", "until", mode="before")
    @classmethod
    def _as_time(cls, value: Any) -> Any:
        return value if isinstance(value, str) else f"{value // 60:02d}:{value % 60:02d}"  # YAML reads 22:00 as 1320

    @model_validator(mode="after")
    def _forwards(self) -> "HoursWindow":
        if self.from_ >= self.until:
            raise ValueError("the window is reversed: `from` must be before `until`")
        return self


class VisitCap(_Parameters):
    """At most so many contact visits in any so many days."""

    caps: tuple[tuple[int, int], ...] = Field(min_length=1)


class RequiredFact(_Parameters):
    """A fact that must be true (or, for a number, at least 1)."""

    fact: str
    only_if: str | None = None


class People(_Parameters):
    at_least: int = Field(ge=1)


class CertificateNeeded(_Parameters):
    """Collectors are cleared and hold the certificates that the visit needs, on the day."""


class Staff(_Parameters):
    """What each collector must, and must not, be."""

    forbidden: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    assessed_within_days: int | None = Field(None, ge=1)


class Hold(_Parameters):
    """Holds stop a visit, but for the purposes that a reason lets through."""

    lets_through: dict[str, tuple[str, ...]] = {}


class NoHoliday(_Parameters):
    """Not on a public holiday of the debtor's region."""


class Address(_Parameters):
    """The address is verified and outside hazard zones, or there is a safety plan."""


class PersonAllowed(_Parameters):
    """With whom the debt may be talked about."""

    persons: tuple[str, ...]


class Position(_Parameters):
    """How precise a check-in is."""

    distance_m: float = Field(gt=0)
    accuracy_m: float = Field(gt=0)
    clock_offset_seconds: float = Field(gt=0)


class CallCap(_Parameters):
    """At most so many a day; `fact` is the count so far."""

    fact: str
    at_most: int = Field(ge=1)


class ReviewDue(_Parameters):
    """Something was reviewed within so many days."""

    fact: str
    within_days: int = Field(ge=1)


class TermLimit(_Parameters):
    fact: str
    at_most: int = Field(ge=1)


class Forbidden(_Parameters):
    """A fact that must not be true."""

    fact: str


class Retention(_Parameters):
    """How long records are kept; not judged, but read by the retention of the trail."""

    years: int = Field(ge=1)
    records: str


KINDS: Mapping[str, type[_Parameters]] = {
    "hours-window": HoursWindow,
    "visit-cap": VisitCap,
    "required-fact": RequiredFact,
    "forbidden-fact": Forbidden,
    "people-needed": People,
    "certificate": CertificateNeeded,
    "staff": Staff,
    "hold": Hold,
    "no-holiday": NoHoliday,
    "address": Address,
    "person-allowed": PersonAllowed,
    "position": Position,
    "call-cap": CallCap,
    "review-due": ReviewDue,
    "term-limit": TermLimit,
    "retention": Retention,
}


class Rule(BaseModel):
    """One rule of a pack, its parameters already of their kind's form."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    id: str = Field(pattern=r"^[a-z]{2,5}(-[a-z0-9]+)+$")
    kind: str
    steps: tuple[Step, ...] = ()
    effect: Effect
    authority: Authority
    verified: Verified
    effective_from: date | None = None
    effective_to: date | None = None
    override: str | None = None
    source: str = Field(min_length=3)
    says: Says
    parameters: Any = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Rule":
        form = KINDS.get(self.kind)
        if form is None:
            raise ValueError(f"kind {self.kind!r} is unknown; there are {', '.join(KINDS)}")
        if not isinstance(self.parameters, _Parameters):
            object.__setattr__(self, "parameters", form.model_validate(self.parameters))
        if self.kind != "retention" and not self.steps:
            raise ValueError("a rule without steps would never be judged: name at least one")
        if self.effective_from and self.effective_to and self.effective_from >= self.effective_to:
            raise ValueError("effective_to must be after effective_from")
        return self

    def in_force(self, day: date) -> bool:
        """From effective_from, before effective_to."""
        return (self.effective_from is None or self.effective_from <= day) and (
            self.effective_to is None or day < self.effective_to
        )


@dataclass(frozen=True)
class RulePack:
    """A set of rules with its version and the SHA-256 of its file."""

    id: str
    version: str
    title: Title
    digest: str
    rules: tuple[Rule, ...]

    def judged_at(self, step: Step) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if step in rule.steps)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    version: str
    title: Title
    rules: list[Rule]


def read_pack(name: str, content: bytes) -> RulePack:
    """Read a pack from the bytes of its file. Raises PackInvalid."""
    if len(content) > PACK_BYTES_MAX:
        raise PackInvalid(f"{name}: larger than {PACK_BYTES_MAX} bytes")
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise PackInvalid(f"{name}{place}: not plain YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(document, dict):
        raise PackInvalid(f"{name}: a pack has the fields id, version, title and rules")
    try:
        pack = _File.model_validate(document)
    except ValidationError as error:
        raise PackInvalid(_in_words(name, document, error)) from None
    ids = [rule.id for rule in pack.rules]
    twice = sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1})
    if twice:
        raise PackInvalid(f"{name}: rule {twice[0]} stands twice")
    return RulePack(pack.id, pack.version, pack.title, hashlib.sha256(content).hexdigest(), tuple(pack.rules))


def _in_words(name: str, document: dict[str, Any], error: ValidationError) -> str:
    lines = []
    for found in error.errors():
        where = list(found["loc"])
        rule = ""
        if len(where) >= 2 and where[0] == "rules" and isinstance(where[1], int):
            entry = document["rules"][where[1]]
            rule = f"rule {entry.get('id', f'number {where[1] + 1}') if isinstance(entry, dict) else where[1] + 1}, "
            where = where[2:]
        field = f"field {'.'.join(map(str, where))}: " if where else ""
        lines.append(f"{name}: {rule}{field}{found['msg']}")
    return "\n".join(lines)


@cache
def load_packs() -> dict[str, RulePack]:
    """The packs that ship with the project, by id."""
    packs = [read_pack(path.name, path.read_bytes()) for path in sorted(PACKS.glob("*.yaml"))]
    return {pack.id: pack for pack in packs}


def packs_for(jurisdiction: str) -> tuple[RulePack, ...]:
    """House rules and the law of a jurisdiction. One without a pack has the house rules alone."""
    packs = load_packs()
    return (packs["house"], packs[jurisdiction]) if jurisdiction in packs else (packs["house"],)
