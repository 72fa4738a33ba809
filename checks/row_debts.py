"""Where a room still writes another room's rows, each with the issue that removes it. The list may only shrink: a debt
that is paid and still listed fails the check, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Write:
    """A write of another room's row: in which function, how, of which class or table, and which attribute."""

    function: str
    row: str
    how: str
    attribute: str = ""

    def __str__(self) -> str:
        return f"{self.function} {self.how} {self.row}{'.' if self.attribute else ''}{self.attribute}"


@dataclass(frozen=True, slots=True)
class Debt:
    write: Write
    issue: int


DEBTS: list[Debt] = []
