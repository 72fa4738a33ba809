"""The session of a transaction: one that only reads refuses to write; one of a lender keeps to the lender's rows."""

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session

from shared.lender_session import LENDER, LenderSession


class ReadingSession(Session):
    """A session that never writes."""


class LenderReadingSession(ReadingSession, LenderSession):
    """A session that never writes, and reads the rows of one lender."""


def session_of(engine: AsyncEngine, lender_id: str | None, *, reads_only: bool = False) -> AsyncSession:
    """A new session. Only a lender's one looks at its statements: for others nothing is spent on it."""
    if lender_id is None:
        kind = ReadingSession if reads_only else Session
        return AsyncSession(engine, sync_session_class=kind, expire_on_commit=False)
    kind = LenderReadingSession if reads_only else LenderSession
    return AsyncSession(engine, sync_session_class=kind, expire_on_commit=False, info={LENDER: lender_id})


@event.listens_for(ReadingSession, "before_flush")
def _refuse_to_flush(*_: object) -> None:
    raise RuntimeError("a unit of work that only reads was about to write a row")


@event.listens_for(ReadingSession, "do_orm_execute")
def _refuse_to_write(state: ORMExecuteState) -> None:
    if not state.is_select:
        raise RuntimeError("a unit of work that only reads was about to do something else")
