"""One rule of a pack: what a lawyer writes, held to a schema that says what is allowed."""

from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.law.kinds import KINDS, Kind, Parameters
from shared.law.kinds.known import steps_of
from shared.law.kinds.times import HoursWindow
from shared.law.terms import ConsentScope, OtherGround, Step

Authority = Literal["law", "standard", "self-regulatory", "draft", "policy"]
Verified = Literal["primary", "secondary", "unverified"]
Effect = Literal["block", "warn", "record-incomplete", "incident", "retain", "deadline"]

RULE_ID = r"^[a-z]{2,5}(-[a-z0-9]+)+$"
GROUNDS = (*ConsentScope, *OtherGround)
_READ_ONLY: dict[str, Effect] = {"retention": "retain", "deadline": "deadline"}


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)]


class Words(BaseModel):
    """The same in two languages."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    en: Text
    zh: Text


class RuleText(BaseModel):
    """A rule as it stands in the file; its parameters are held to the form of its kind afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str = Field(pattern=RULE_ID)
    kind: str
    steps: tuple[Step, ...] = ()
    effect: Effect
    override: str | None = None
    authority: Authority
    verified: Verified
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)]
    effective_from: date | None = None
    effective_to: date | None = None
    enabled: bool = True
    parameters: dict[str, Any] = {}
    says: Words

    @model_validator(mode="after")
    def _can_fire(self) -> "RuleText":
        if self.kind not in KINDS:
            raise ValueError(f"the kind {self.kind!r} is unknown; there are {', '.join(KINDS)}")
        read_only = _READ_ONLY.get(self.kind)
        if read_only and (self.steps or self.effect != read_only):
            raise ValueError(f"a rule of the kind {self.kind} is read, not judged: no steps, and effect: {read_only}")
        if not read_only and self.effect in _READ_ONLY.values():
            raise ValueError(f"the effect {self.effect} belongs to the kinds retention and deadline")
        if not read_only and not self.steps:
            raise ValueError(f"a rule without steps would never be judged: name some of {', '.join(Step)}")
        if len(set(self.steps)) < len(self.steps):
            raise ValueError("a step is there twice")
        if self.effect in ("record-incomplete", "incident") and set(self.steps) != {Step.COMPLETION}:
            raise ValueError(f"the effect {self.effect} belongs to the step COMPLETION alone")
        if self.effective_from and self.effective_to and self.effective_from >= self.effective_to:
            raise ValueError("effective_to must be after effective_from, or the rule could never fire")
        if self.override == self.id:
            raise ValueError("a rule cannot be its own override")
        if self.override and "-" not in self.override and self.override not in GROUNDS:
            raise ValueError(
                f"the override {self.override!r} is unknown; there are {', '.join(GROUNDS)} and rules' ids"
            )
        return self


@dataclass(frozen=True)
class Rule:
    """A sound rule. `override` names what lifts it: a consent or other ground, or another rule that is satisfied."""

    id: str
    kind: str
    steps: tuple[Step, ...]
    effect: Effect
    override: str | None
    authority: Authority
    verified: Verified
    source: str
    effective_from: date | None
    effective_to: date | None
    enabled: bool
    parameters: Parameters
    says: Words

    @classmethod
    def of(cls, text: RuleText, parameters: Parameters) -> "Rule":
        plain = {each.name: getattr(text, each.name) for each in fields(cls)}
        return cls(**{**plain, "parameters": parameters})

    @cached_property
    def how(self) -> Kind[Any]:
        return KINDS[self.kind]

    @property
    def only_warns(self) -> bool:
        """Whether nobody could verify it: it makes a warning, and never more."""
        return self.verified == "unverified"

    @cached_property
    def blocks(self) -> bool:
        """Whether it may stop an act."""
        return self.effect == "block" and not self.only_warns

    @property
    def is_floor(self) -> bool:
        """Whether it applies only where no other pack of the place blocks by a rule of the same kind."""
        return isinstance(self.parameters, HoursWindow) and self.parameters.floor

    def out_of_step(self) -> str | None:
        """What is wrong with the steps: one at which nothing can be known of what the rule asks; None: all is well."""
        asked = self.how.needs(self.parameters)
        known = steps_of(asked)
        lost = [step for step in self.steps if step not in known]
        if not lost:
            return None
        steps = ", ".join(step for step in Step if step in known)
        return (
            f"at {lost[0]} nothing is known of {', '.join(asked)}, so that the rule could never be judged; "
            f"it belongs to {steps}"
        )

    def in_force(self, day: date) -> bool:
        """From effective_from, before effective_to; never while switched off."""
        return (
            self.enabled
            and (self.effective_from is None or self.effective_from <= day)
            and (self.effective_to is None or day < self.effective_to)
        )

    def overlaps(self, other: "Rule") -> bool:
        """Whether there is a day on which both would apply."""
        starts = max(self.effective_from or date.min, other.effective_from or date.min)
        return starts < min(self.effective_to or date.max, other.effective_to or date.max)

    def to_json(self) -> dict[str, Any]:
        """Every field in the words of the file."""
        plain: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **plain,
            "steps": [step.value for step in self.steps],
            "effective_from": self.effective_from.isoformat() if self.effective_from else None,
            "effective_to": self.effective_to.isoformat() if self.effective_to else None,
            "parameters": self.parameters.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "says": self.says.model_dump(),
        }
