"""How a command ends that cannot go on: one sentence and the exit status, here for all commands.

No message quotes an SQL statement or its values: they may hold personal data.
"""

import os
import sqlite3
import traceback
from pathlib import Path
from typing import NoReturn

from sqlalchemy.exc import DBAPIError

from shared.bus.transport import TransportDown
from shared.cli.output import Exit, err, fail
from shared.errors import CannotRun
from shared.settings import SettingsRefused

# PostgreSQL's classes of errors whose messages name servers, roles and tables only: connection, authorisation,
# catalogue, rights and missing tables, resources, shutdown.
TELLING_CLASSES = ("08", "28", "3D", "42", "53", "57")


def end_by(error: Exception) -> NoReturn:
    """End the command by this error."""
    match error:
        case SettingsRefused():
            fail(Exit.USAGE, str(error))
        case CannotRun() | TransportDown():
            fail(Exit.MISSING, str(error))
        case DBAPIError() | sqlite3.Error():
            fail(Exit.MISSING, database_words(error))
        case OSError():
            fail(Exit.MISSING, _os_words(error))
    if type(error).__module__.startswith("asyncpg"):
        fail(Exit.MISSING, database_words(error))
    _unexpected(error)


def database_words(error: Exception) -> str:
    """What is wrong with a database, and what helps; first which one, if a note of the error names it."""
    return "".join(f"{place}: " for place in getattr(error, "__notes__", [])[:1]) + _database_words(error)


def _database_words(error: Exception) -> str:
    cause = (error.orig if isinstance(error, DBAPIError) else None) or error
    text = str(cause).splitlines()[0] if str(cause) else ""
    sqlstate = str(getattr(cause, "sqlstate", None) or "")
    if "no such table" in text or "no such column" in text or sqlstate in ("42P01", "42703"):
        return "The database is not at the schema of this release. Run `doorstep migrate` on it."
    if "locked" in text or sqlstate == "55P03":
        return "The database is busy: another process writes to it. Try again in a moment."
    if "readonly" in text:
        return "The database cannot be written: it or its folder is read-only. Mend their rights."
    if "not a database" in text or "malformed" in text:
        return f"The database is damaged ({text}). Restore it from a backup."
    if "is full" in text or sqlstate == "53100":
        return "The disk of the database is full. Make room on it."
    if isinstance(cause, sqlite3.OperationalError):
        return f"The database cannot be used ({text}). Are its folder and file there, and may this user write them?"
    if sqlstate[:2] in TELLING_CLASSES:
        return f"The database refuses: {text.partition('>: ')[2] or text}."
    return f"The database cannot be used ({type(cause).__name__}). Is it running, and is DOORSTEP_DATABASE_URL right?"


def _os_words(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}."
    return f"Something that is needed does not answer: {reason}."


def _unexpected(error: Exception) -> NoReturn:
    if os.environ.get("DOORSTEP_LOG_LEVEL", "").upper() == "DEBUG":
        err.print("".join(traceback.format_exception(error)), markup=False, highlight=False, soft_wrap=True)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    fail(
        Exit.WRONG,
        f"Doorstep failed: {type(error).__name__}{place}. This is a fault of the program, not the result of a check. "
        "Set DOORSTEP_LOG_LEVEL=DEBUG for the traceback.",
    )
