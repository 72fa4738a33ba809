"""The trail records who reads it. A search or reading is published in the transaction that does it, so that
there is no reply without its entry in the log `access`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from shared.database import Transaction
from shared.events.audit import TrailRead, TrailSearched
from shared.ids import new_id

SearchForm = Literal["PAGE", "COUNTS", "STORY", "CSV", "NDJSON", "WATCH"]
ReadingForm = Literal["ENTRY", "BUNDLE"]


def record_search(
    tx: Transaction,
    *,
    form: SearchForm,
    sizes: Mapping[str, int],
    found: int | None = None,
    criteria: Mapping[str, Any] | None = None,
) -> None:
    """Say that the actor searched: by what (fields of TrailQuery), as of which sizes, and how many entries came."""
    search_id = new_id()
    event = TrailSearched(search_id=search_id, form=form, sizes=dict(sizes), found=found, **(criteria or {}))
    tx.publish_as(event, subject=search_id, version=1, key=search_id)


def record_reading(
    tx: Transaction, *, form: ReadingForm, log: str, first: int, last: int, case_ids: Sequence[UUID] = ()
) -> None:
    """Say that the actor read the entries `first` to `last` of a log as they stand."""
    reading_id = new_id()
    event = TrailRead(
        reading_id=reading_id, form=form, log=log, first_index=first, last_index=last, case_ids=list(case_ids)
    )
    tx.publish_as(event, subject=reading_id, version=1, key=reading_id)
