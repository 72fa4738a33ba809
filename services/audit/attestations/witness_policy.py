"""Who the witnesses are, and how many of them are enough: a file in the form of C2SP's tlog-policy, which those who
verify can use, too. Its one rule: a line that is not understood is refused, never passed over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from services.audit.settings import AuditSettings
from services.audit.tlog.note import CosignatureVerifier, NoteInvalid, signature_by
from shared.settings import SettingsRefused

NONE = "none"


class PolicyInvalid(ValueError):
    """A policy file that is not valid; the text names the line and the remedy."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns: the name in the policy, its key, and the prefix of its address."""

    name: str
    verifier: CosignatureVerifier
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """At least `needed` of the members (names of witnesses or groups) must have cosigned."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The witnesses by name, and what of them is enough: the name of a witness or a group, or none."""

    witnesses: Mapping[str, Witness] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = NONE

    def enough(self, cosigned: Iterable[str]) -> bool:
        """Whether these witnesses are a quorum."""
        return self.quorum == NONE or self._witnessed(self.quorum, frozenset(cosigned))

    def _witnessed(self, name: str, cosigned: frozenset[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._witnessed(member, cosigned) for member in group.members) >= group.needed

    def cosigned_by(self, note: str) -> dict[str, datetime]:
        """The witnesses whose cosignatures a checkpoint carries, each with its time; what does not verify is left
        out. Raises NoteInvalid for what is no note."""
        found = {}
        for witness in self.witnesses.values():
            signature = signature_by(note, witness.verifier)
            if signature is not None:
                found[witness.name] = datetime.fromtimestamp(witness.verifier.time_of(signature), UTC)
        return found


def policy_of(settings: AuditSettings) -> Policy | None:
    """The policy that the settings name, if any. Raises SettingsRefused when the file is not valid."""
    if settings.witness_policy_file is None:
        return None
    try:
        return read_policy(settings.witness_policy_file)
    except PolicyInvalid as invalid:
        raise SettingsRefused(f"DOORSTEP_WITNESS_POLICY_FILE: {invalid}") from invalid


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises PolicyInvalid, which names the line."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"{path}: cannot be read as text ({type(error).__name__})") from error
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            try:
                reading.take(words)
            except (PolicyInvalid, NoteInvalid) as error:
                raise PolicyInvalid(f"line {number}: {error}") from error
    if reading.quorum is None:
        raise PolicyInvalid("there is no quorum line: write `quorum NAME`, or `quorum none`")
    return Policy(reading.witnesses, reading.groups, reading.quorum)


class _Reading:
    """What the lines have said so far."""

    def __init__(self) -> None:
        self.witnesses: dict[str, Witness] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None

    def take(self, words: Sequence[str]) -> None:
        match words:
            case ["log", _, *_]:
                pass  # whose logs these are, we know
            case ["witness", name, vkey, url] if url.startswith(("http://", "https://")):
                self._add_witness(Witness(self._new(name), CosignatureVerifier.parse(vkey), url.rstrip("/")))
            case ["witness", *_]:
                raise PolicyInvalid("write `witness NAME VKEY URL`; the URL (http…) is where it is asked")
            case ["group", name, needed, *members] if members:
                self.groups[self._new(name)] = self._group(needed, members)
            case ["quorum", name] if self.quorum is None and (name == NONE or self._knows(name)):
                self.quorum = name
            case _:
                raise PolicyInvalid("not a witness, a group, or the one quorum of what stands above it")

    def _add_witness(self, witness: Witness) -> None:
        if any(witness.verifier.public_bytes == other.verifier.public_bytes for other in self.witnesses.values()):
            raise PolicyInvalid("a witness above has the same key")
        self.witnesses[witness.name] = witness

    def _group(self, needed: str, members: Sequence[str]) -> Group:
        counts = {"any": 1, "all": len(members)}
        count = counts.get(needed) or (int(needed) if needed.isdecimal() else 0)
        if not 1 <= count <= len(members):
            raise PolicyInvalid(f"write any, all or a number from 1 to {len(members)} before the members")
        taken = [member for group in self.groups.values() for member in group.members]
        if len({*members, *taken}) < len(members) + len(taken) or not all(map(self._knows, members)):
            raise PolicyInvalid("each member stands above, and is a member once")
        return Group(count, tuple(members))

    def _knows(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _new(self, name: str) -> str:
        if name == NONE or self._knows(name):
            raise PolicyInvalid(f"the name {name} is taken")
        return name
