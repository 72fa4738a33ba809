"""Events on their way to the outbox. A transaction collects them; the commit stores them. The last step before that,
in this one place, gives each event its retention class: the id of the rule that says how long its records are kept.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import to_json

from shared.events.envelope import RETENTION_HEADER, Event
from shared.law import HOUSE_CLASS

if TYPE_CHECKING:
    from shared.database import Transaction

Cases = tuple[UUID, ...]

# How a service finds the classes of events, each by the cases that it is about. Cases that it does not know have none.
RetentionOf = Callable[["Transaction", Sequence[Cases]], Awaitable[Mapping[Cases, str]]]


@dataclass(slots=True)
class Outgoing:
    """One message: a row of the outbox without its headers, and these. `cases` is None for what keeps the headers that
    it came with. `about` is the row that changed: while it is referenced, the session finds it without a statement."""

    row: dict[str, Any]
    headers: dict[str, str]
    cases: Cases | None = None
    about: object = None

    def frozen(self) -> dict[str, Any]:
        """The row as it is stored."""
        return {**self.row, "headers": to_json(self.headers).decode()}


def cases_of(event: Event) -> Cases:
    """The cases that an event is about; none for those of people, plans and packs."""
    case_id: UUID | None = getattr(event, "case_id", None)
    several: Sequence[UUID] = getattr(event, "case_ids", ())
    return tuple(several) if case_id is None else (case_id,)


async def stamp(tx: "Transaction", retention: RetentionOf | None) -> None:
    """Give each published event its retention class: its cases' class, or else the house's."""
    events = [each for each in tx.outbox if each.cases is not None]
    wanted = list(dict.fromkeys(each.cases for each in events if each.cases))
    found = await retention(tx, wanted) if retention is not None and wanted else {}
    for each in events:
        each.headers[RETENTION_HEADER] = found.get(each.cases or (), HOUSE_CLASS)
