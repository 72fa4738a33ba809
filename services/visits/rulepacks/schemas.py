"""Bodies and replies of the register of rule packs."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from shared.bodies import Body
from shared.law import StatedDay
from shared.plain_yaml import BYTES_MAX
from shared.versions.schemas import Differences, VersionView

BACK_TEST_DECISIONS_MAX = 5_000


class Words(BaseModel):
    en: str
    zh: str


class RuleView(BaseModel):
    """A rule in the words of the file; `parameters` without those that go without saying. One that is not `enabled` is
    kept in sight, and not judged."""

    id: str
    kind: str
    steps: list[str]
    effect: str
    override: str | None
    authority: str
    verified: str
    effective_from: date | None
    effective_to: date | None
    source: str
    enabled: bool
    parameters: dict[str, Any]
    says: Words


class RulePackView(BaseModel):
    """A pack, and its version that is in force on the day asked for; `waiting` counts versions still to be decided."""

    id: str
    title: Words
    version: str | None
    digest: str | None
    rules: int
    waiting: int


class RulePackDetail(RulePackView):
    day: date
    rule_list: list[RuleView]


class PackVersionView(VersionView):
    """A version. One that ships with the program has been the law for ever, until another takes its place."""

    id: UUID | None = None
    pack: str
    version: str


class PackVersionDetail(PackVersionView):
    """With its text, and what it changes."""

    yaml: str
    differences: Differences


class UploadBody(Body):
    """A version as JSON: its YAML text, and the first day on which it is the law."""

    yaml: Annotated[str, Field(max_length=BYTES_MAX)]
    effective_from: StatedDay


class BackTestBody(Body):
    """Which version (its name, or a text that is not uploaded yet), and on which decisions: the newest ones first,
    within the days given."""

    version: Annotated[str | None, Field(max_length=40)] = None
    yaml: Annotated[str | None, Field(max_length=BYTES_MAX)] = None
    first_day: StatedDay | None = None
    last_day: StatedDay | None = None
    decisions_max: Annotated[int, Field(ge=1, le=BACK_TEST_DECISIONS_MAX)] = 2_000

    @model_validator(mode="after")
    def _names_one(self) -> "BackTestBody":
        if (self.version is None) == (self.yaml is None):
            raise ValueError("name a version, or send its text as yaml: one of the two")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError("first_day comes before last_day")
        return self


class RuleChangeView(BaseModel):
    """A rule's verdicts before and after, counted; `examples` are decisions in which they differ."""

    rule_id: str
    before: dict[str, int]
    after: dict[str, int]
    changed: int
    examples: list[UUID]


class VerdictChange(BaseModel):
    before: str
    after: str
    count: int


class BackTestView(BaseModel):
    pack: str
    version: str
    digest: str
    decisions: int
    verdicts: list[VerdictChange]
    rules: list[RuleChangeView]
