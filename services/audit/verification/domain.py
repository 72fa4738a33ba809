"""What a verification says: of each log its size and root as derived from the entries, and what is wrong with it.
Its one rule: a problem names an entry's index and one kind of a closed list, so that a machine can act on it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    """Everything that can be wrong with a log."""

    LEAF_ALTERED = "leaf-altered"
    ENTRY_MISSING = "entry-missing"
    ENTRY_INSERTED = "entry-inserted"
    ORDER_CHANGED = "order-changed"
    PROJECTION_DIFFERS = "projection-differs"
    TILE_DIFFERS = "tile-differs"
    ROOT_DIFFERS = "root-differs"
    TAIL_CUT = "tail-cut"
    ROLLED_BACK = "rolled-back"
    FORKED = "forked"
    CHECKPOINT_REPLAYED = "checkpoint-replayed"
    SIGNATURE_BAD = "signature-bad"
    STAMP_BAD = "stamp-bad"
    UNSIGNED = "unsigned"
    SOURCE_MISSING = "source-missing"
    TRIGGER_MISSING = "trigger-missing"
    TIME_CHANGED = "time-changed"
    KEY_UNKNOWN = "key-unknown"


OF_ENTRIES = frozenset({Kind.LEAF_ALTERED, Kind.ENTRY_MISSING, Kind.ENTRY_INSERTED, Kind.ORDER_CHANGED})
CAUSES = OF_ENTRIES | {Kind.TAIL_CUT}
PROBLEMS_MAX = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong: at which entry, of which kind, in words."""

    index: int
    kind: str
    detail: str


@dataclass(slots=True)
class LogVerification:
    """One log. `checkpoint_size` is the size of the newest checkpoint that is ours; `root` is hex."""

    log: str
    size: int
    root: str
    checkpoint_size: int
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Verification:
    """All logs. `vkeys`: the keys under which checkpoints were verified; `notes`: what a reader should know and is no
    fault."""

    logs: list[LogVerification]
    vkeys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not any(log.problems for log in self.logs)

    @property
    def entries(self) -> int:
        return sum(log.size for log in self.logs)

    def to_json(self) -> dict[str, Any]:
        """The document of `doorstep trail verify --json`."""
        logs = [asdict(log) for log in self.logs]
        return {"ok": self.ok, "vkeys": self.vkeys, "notes": self.notes, "logs": logs}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(
            [
                LogVerification(**{**log, "problems": [Problem(**problem) for problem in log["problems"]]})
                for log in document["logs"]
            ],
            document.get("vkeys", []),
            document.get("notes", []),
        )


def log_named(logs: list[LogVerification], name: str) -> LogVerification:
    """The log of this name; added, with nothing in it, where there is none."""
    found = next((log for log in logs if log.log == name), None)
    if found is None:
        logs.append(found := LogVerification(name, 0, "", 0))
    return found


def first_causes(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in order of index, without those that only follow from another one.

    Where an entry is not what it was, every root above it differs, and so does what later entries say of it.
    """
    found = sorted(set(problems))
    if any(problem.kind in CAUSES for problem in found):
        found = [problem for problem in found if problem.kind != Kind.ROOT_DIFFERS]
    named: dict[tuple[int, str], Problem] = {}
    for problem in found:
        named.setdefault((problem.index, problem.kind), problem)
    return list(named.values())[:PROBLEMS_MAX]
