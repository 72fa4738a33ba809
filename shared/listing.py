"""A page of a list: the rows behind a position, in the order of one column. Each list of a service is read so."""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Mapped

Statement = TypeVar("Statement", bound=Select[Any])


def page_of(
    statement: Statement,
    key: Mapped[Any] | ColumnElement[Any],
    *,
    after: Any | None,
    limit: int,
    newest_first: bool = False,
) -> Statement:
    """The first `limit` rows of a statement whose `key` is greater than `after`, or less with `newest_first`; from the
    start where that is None."""
    if after is not None:
        statement = statement.where(key < after if newest_first else key > after)
    return statement.order_by(key.desc() if newest_first else key).limit(limit)
