"""Replies about the trail's state, and its new entries."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.audit.verification.schemas import VerificationView


class LogStatus(BaseModel):
    """One log. `problems` says in words what a person should look at; empty: all is well."""

    log: str
    size: int
    root: str
    checkpoint_size: int = Field(description="size of the newest published checkpoint; 0: none yet")
    checkpoint_age_seconds: float | None
    cosigned: dict[str, datetime] = Field(description="the witnesses that cosigned it, and when")
    quorum: bool | None = Field(description="whether they are enough; null where no witnesses are set")
    stamped_size: int = Field(description="size of the newest checkpoint with a time stamp that holds; 0: none")
    stamped_at: datetime | None
    copied_size: int | None = Field(description="size of the copy outside the data folder; null where none is kept")
    problems: list[str]


class TrailStatus(BaseModel):
    """The trail's state; `well` is false when a person should look."""

    well: bool
    halted: str | None = Field(description="why the trail takes nothing more until a person has looked; null: it works")
    problems: list[str] = Field(description="what concerns no single log; empty where all is well")
    waiting: int | None = Field(description="events on the bus not taken yet; null while the bus is away")
    witnesses: list[str] = Field(description="names of the witnesses in the policy; empty: none are set")
    quorum: str | None = Field(description="the policy's quorum")
    witness_fail: str | None = Field(description="closed or open: whether a checkpoint without quorum is published")
    time_authority: str | None = Field(description="address of the time stamping authority")
    checkpoint_dir: str | None = Field(description="where checkpoints are copied to")
    last_verification: VerificationView | None = Field(description="by the worker, of the whole trail; null: not yet")
    logs: list[LogStatus]


class NewEntry(BaseModel):
    """An entry that was added: its place, and what happened in codes. `case_id` and `actor` are our own ids."""

    log: str
    index: int
    recorded_at: datetime
    type: str
    outcome: str
    actor: str
    case_id: str | None


class NewCheckpoint(BaseModel):
    """A checkpoint that was published."""

    log: str
    size: int
    made_at: datetime
    note: str
