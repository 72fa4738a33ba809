"""The offsets that leaves name, partition by partition: one mark for each record that was taken. Set against the marks
of all sections together, a record that no entry names any more is found, whichever log lost it.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping

OFFSET_MAX = 1 << 30


def name_of(topic: str, partition: int) -> str:
    """A partition as one word."""
    return f"{topic}/{partition}"


class Offsets:
    """`positions`: the offset behind the last record that was taken, by partition."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        self._positions = positions
        self._marks: dict[tuple[str, int], bytearray] = {}

    def take(self, place: tuple[str, int, int]) -> bool:
        """Mark a record. False where it lies beyond what was taken."""
        topic, partition, offset = place
        marks = self._marks.get((topic, partition))
        if marks is None or offset >= len(marks):
            end = min(self._positions.get(name_of(topic, partition), 0), OFFSET_MAX)
            if offset >= end:
                return False
            marks = self._marks.setdefault((topic, partition), bytearray())
            wanted = min(end, max(offset + 1, 2 * len(marks)))  # doubled, so that it grows seldom; never beyond the end
            marks.extend(bytes(wanted - len(marks)))
        marks[offset] = 1
        return True

    def packed(self) -> dict[str, str]:
        """The marks as text: sections travel between processes as JSON."""
        return {
            name_of(*place): b64encode(zlib.compress(bytes(marks), 1)).decode() for place, marks in self._marks.items()
        }


class Taken:
    """The marks of all sections together."""

    def __init__(self, sections: Iterable[Mapping[str, str]]) -> None:
        self._marks: dict[str, int] = {}
        for section in sections:
            for name, packed in section.items():
                marks = int.from_bytes(zlib.decompress(b64decode(packed)), "little")
                self._marks[name] = self._marks.get(name, 0) | marks

    def missing(self, name: str, position: int, skipped: Iterable[int]) -> list[int]:
        """The first offset below `position` that nothing names, and how many there are: [first, count], or []."""
        marks = bytearray(self._marks.get(name, 0).to_bytes(_length(self._marks.get(name, 0)), "little"))
        for offset in skipped:
            if offset < min(position, OFFSET_MAX):
                if offset >= len(marks):
                    marks.extend(bytes(offset + 1 - len(marks)))
                marks[offset] = 1
        count = position - marks.count(1, 0, position)
        if count <= 0:
            return []
        first = marks.find(0, 0, position)
        return [first if first >= 0 else len(marks), count]


def _length(number: int) -> int:
    return -(-number.bit_length() // 8)
