"""Contact attempts and what they say about a debtor. RPC: the right party was reached."""

from enum import StrEnum


class Channel(StrEnum):
    CALL = "CALL"
    SMS = "SMS"
    EMAIL = "EMAIL"
    LETTER = "LETTER"


class Result(StrEnum):
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    WRONG_NUMBER = "WRONG_NUMBER"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    RPC_REFUSED = "RPC_REFUSED"
    RPC_PROMISED = "RPC_PROMISED"
    RPC_OTHER = "RPC_OTHER"

    @property
    def is_right_party(self) -> bool:
        return self in (Result.RPC_REFUSED, Result.RPC_PROMISED, Result.RPC_OTHER)


def counts_after(attempts_without_contact: int, refusals: int, result: Result) -> tuple[int, int]:
    """Attempts since the last right-party contact, and refusals so far, after one more attempt."""
    if not result.is_right_party:
        return attempts_without_contact + 1, refusals
    return 0, refusals + (result is Result.RPC_REFUSED)
