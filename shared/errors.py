"""Errors for users. Each is a fact with a stable code; the HTTP status is mapped in shared.web only.

DomainError leaves no trace: the transaction is rolled back. A refusal that must be remembered is a returned result.

    DomainError
    ├── NotFound        what does not exist, or is not this actor's to see
    ├── Forbidden       may be seen, but not done, by this actor
    ├── Gone            what was here and was deleted or erased for good
    ├── Conflict        the state of things forbids it now
    ├── Invalid         the request is well formed, but its values contradict each other or the data
    ├── StaleVersion    another request changed it first
    ├── TooLarge        more than a named limit
    ├── TooSlow         longer than a named limit
    ├── TooOften        more requests than a named limit
    └── Unavailable     something that we need is away; try again later
        └── OutOfStorage    a disk is full: writes wait until there is room

CannotRun is for those who run a process, not for callers of a route.
"""

from enum import StrEnum


class ErrorKind(StrEnum):
    NOT_FOUND = "not-found"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    CONFLICT = "conflict"
    INVALID = "invalid"
    STALE_VERSION = "stale-version"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    TOO_OFTEN = "too-often"
    UNAVAILABLE = "unavailable"
    OUT_OF_STORAGE = "out-of-storage"


class DomainError(Exception):
    """A fact that stops a command. `code` is stable and in kebab-case; `detail` says what to do next."""

    kind = ErrorKind.CONFLICT

    def __init__(self, code: str, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.fields = fields


class NotFound(DomainError):
    kind = ErrorKind.NOT_FOUND


class Forbidden(DomainError):
    kind = ErrorKind.FORBIDDEN


class Gone(DomainError):
    kind = ErrorKind.GONE


class Conflict(DomainError):
    kind = ErrorKind.CONFLICT


class Invalid(DomainError):
    kind = ErrorKind.INVALID


class StaleVersion(DomainError):
    kind = ErrorKind.STALE_VERSION


class TooLarge(DomainError):
    kind = ErrorKind.TOO_LARGE


class TooSlow(DomainError):
    kind = ErrorKind.TOO_SLOW


class TooOften(DomainError):
    """`retry_after_seconds`: when the next request may come."""

    kind = ErrorKind.TOO_OFTEN

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(DomainError):
    kind = ErrorKind.UNAVAILABLE


class OutOfStorage(Unavailable):
    kind = ErrorKind.OUT_OF_STORAGE


class CannotRun(Exception):
    """Something that a process or a command needs is not there or cannot be used; the message says how to mend it."""
