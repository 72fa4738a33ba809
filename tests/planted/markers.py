"""Values that a test plants, and the search for them afterwards. Each is a word of its own that fits nearly every form:
eleven letters without a meaning, such as zqxaaaabxqz."""

import re
from itertools import count

_WORD = re.compile(r"zqx([a-j]{5})xqz", re.IGNORECASE)
_PHONE = re.compile(r"88691(\d{7})")
_numbers = count()  # tests may share a database: a marker is never planted twice


class Markers:
    """`word` makes a marker and remembers where it is planted; `found_in` says which of them stand in some texts."""

    def __init__(self) -> None:
        self.places: dict[int, str] = {}

    def _planted(self, where: str) -> int:
        number = next(_numbers)
        self.places[number] = where
        return number

    def word(self, where: str) -> str:
        return f"zqx{''.join('abcdefghij'[int(digit)] for digit in f'{self._planted(where):05d}')}xqz"

    def text(self, where: str) -> str:
        """A marker as a person writes: with a name and a number."""
        return f"{self.word(where)} 王小明 0912"

    def phone(self, where: str) -> str:
        """A number of a mobile phone; found by its digits."""
        return f"+88691{2_770_000 + self._planted(where)}"

    def found_in(self, *texts: str | bytes) -> set[str]:
        """Where those markers were planted that stand in these texts."""
        numbers: set[int] = set()
        for each in texts:
            text = each.decode("utf-8", "replace") if isinstance(each, bytes) else each
            numbers |= {int("".join(str("abcdefghij".index(c)) for c in word.lower())) for word in _WORD.findall(text)}
            numbers |= {int(digits) - 2_770_000 for digits in _PHONE.findall(text)}
        return {self.places[number] for number in numbers if number in self.places}
