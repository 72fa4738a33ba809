"""The chains of the subjects: each entry of a subject bears its number and the hash of the subject's entry before.

Its one rule: a section of a log is judged by itself, without what came before; what it leaves open at both its ends
goes into a sum, and the sums of all sections and of the subjects' heads are zero if, and only if, every chain holds.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from services.audit.verification.domain import Kind, Problem
from services.audit.verification.reading import Mention

SUM_MODULUS = 1 << 128

# The newest entry of a subject that was met: its number, its hash in hex, its place in the log. A bare tuple, since
# millions are made.
Link = tuple[int, str, int]


class Chains:
    """The chains within a section, entry by entry. With `whole` it begins at the log's first entry, and sums nothing:
    there every first number must be 1."""

    def __init__(self, key: bytes = b"", *, whole: bool = False) -> None:
        self.problems: list[Problem] = []
        self.last: dict[str, Link] = {}
        self._key = key
        self._whole = whole
        self._open = 0
        self._jumped_over: dict[tuple[str, int], int] = {}

    def take(self, index: int, digest: str, mentions: Sequence[Mention]) -> None:
        """An entry, by its hash in hex, and the subjects that it mentions."""
        last = self.last
        for ref, n, prev in mentions:
            before = last.get(ref)
            if before is not None:
                if n != before[0] + 1 or prev != before[1]:
                    self._broken(index, ref, n, before)
            elif prev is not None:
                if self._whole:
                    self._broken(index, ref, n, None)
                else:
                    self._open -= token(self._key, ref, n - 1, bytes.fromhex(prev))
            last[ref] = n, digest, index

    def _broken(self, index: int, ref: str, n: int, before: Link | None) -> None:
        count, before_at = (before[0], before[2]) if before else (0, index)
        if n == count + 1:
            detail = "a later entry of the same subject follows another entry than this one"
            self.problems.append(Problem(before_at, Kind.LEAF_ALTERED, detail))
        elif n > count + 1:
            self._jumped_over[ref, count + 1] = len(self.problems)
            detail = f"a subject's entry number {count + 1} is missing before this one"
            self.problems.append(Problem(index, Kind.ENTRY_MISSING, detail))
        elif (ref, n) in self._jumped_over:
            at = self._jumped_over.pop((ref, n))
            detail = f"a subject's entry number {n} stands behind a later one"
            self.problems[at] = Problem(self.problems[at].index, Kind.ORDER_CHANGED, detail)
        else:
            detail = f"a subject has an entry number {n} already"
            self.problems.append(Problem(index, Kind.ENTRY_INSERTED, detail))

    def total(self) -> int:
        """What this section leaves open: what its ends offer, less what its beginnings ask for."""
        return (self._open + sum(self._offered())) % SUM_MODULUS

    def _offered(self) -> Iterator[int]:
        return (token(self._key, ref, n, bytes.fromhex(digest)) for ref, (n, digest, _) in self.last.items())


def token(key: bytes, ref: str, n: int, digest: bytes) -> int:
    """A number for a link that nobody can foresee without the key, which is drawn anew for each verification: links
    cannot be forged so that they cancel out."""
    return int.from_bytes(
        blake2b(
            b"%s\x00%d\x00%s" % (ref.encode(errors="surrogateescape"), n, digest), digest_size=16, key=key
        ).digest(),
        "big",
    )
