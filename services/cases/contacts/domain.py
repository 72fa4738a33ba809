"""Contact attempts and what they say about a debtor. RPC: the right party was reached. From attempts to the law's
facts about the next one: what was tried before it, and whom it reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.cases.consents.domain import Channel
from shared.law import Facts, Inquiry, PersonMet, PlaceType, Step

# Rules look back 30 days at most; whether somebody is lost takes more. What third parties said is never forgotten.
HISTORY_DAYS = 60


class Result(StrEnum):
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    WRONG_NUMBER = "WRONG_NUMBER"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    RPC_REFUSED = "RPC_REFUSED"
    RPC_PROMISED = "RPC_PROMISED"
    RPC_OTHER = "RPC_OTHER"
    THIRD_PARTY_ANSWERED = "THIRD_PARTY_ANSWERED"
    THIRD_PARTY_REFUSED = "THIRD_PARTY_REFUSED"

    @property
    def is_right_party(self) -> bool:
        return self in (Result.RPC_REFUSED, Result.RPC_PROMISED, Result.RPC_OTHER)

    @property
    def is_unanswered(self) -> bool:
        return self in (Result.NO_ANSWER, Result.BUSY)


def counts_after(attempts_without_contact: int, refusals: int, result: Result) -> tuple[int, int]:
    """Attempts since the last right-party contact, and refusals so far, after one more attempt."""
    if not result.is_right_party:
        return attempts_without_contact + 1, refusals
    return 0, refusals + (result is Result.RPC_REFUSED)


BY_PHONE = frozenset({Channel.CALL, Channel.SMS})
"""The channels of the phone desk."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that was tried. `contact_point` is our own label of a number, never the number."""

    channel: Channel
    result: Result
    at: datetime
    contact_point: str
    person: PersonMet


@dataclass(frozen=True, slots=True)
class Contact:
    """Something that is about to be tried, or was: whom, by which way, when; where it reaches the person."""

    channel: Channel
    at: datetime
    contact_point: str
    person: PersonMet
    place: PlaceType = PlaceType.OTHER
    discloses: bool = False


def step_of(channel: Channel) -> Step:
    """A letter has no hour and rings nowhere; a message is judged as a call is."""
    return Step.LETTER if channel is Channel.LETTER else Step.CALL


def with_history(facts: Facts, contact: Contact, attempts: Sequence[Attempt]) -> Facts:
    """The facts of a case, with what was tried before this contact. Caps of calls look at calls alone."""
    before = [attempt for attempt in attempts if attempt.at <= contact.at]
    calls = [attempt for attempt in before if attempt.channel is Channel.CALL and attempt.person.is_right_party]
    conversations = [attempt for attempt in calls if attempt.result.is_right_party]
    zone = ZoneInfo(facts.time_zone or "UTC")
    today = contact.at.astimezone(zone).date()
    of_today = [attempt for attempt in calls if attempt.at.astimezone(zone).date() == today]
    unanswered = [a for a in of_today if a.result.is_unanswered and a.contact_point == contact.contact_point]
    rings = contact.channel is Channel.CALL
    return facts.model_copy(
        update={
            "person_met": contact.person,
            "calls": _times(calls) if rings else (),
            "conversations": _times(conversations) if rings else (),
            "calls_unanswered_today": len(unanswered) if rings else 0,
            "calls_effective_today": sum(a.result.is_right_party for a in of_today) if rings else 0,
            "first_contact_at": _first_contact(facts, before),
            "inquiry": _inquiry(contact, before, calls) if contact.person is PersonMet.THIRD_PARTY else None,
        }
    )


def _times(attempts: Iterable[Attempt]) -> tuple[datetime, ...]:
    return tuple(attempt.at for attempt in attempts)


def _first_contact(facts: Facts, before: Sequence[Attempt]) -> datetime | None:
    """When the debtor was reached for the first time: as the case has it, or by one of these attempts."""
    reached = [attempt.at for attempt in before if attempt.result.is_right_party]
    return min([*reached, *([facts.first_contact_at] if facts.first_contact_at else [])], default=None)


def _inquiry(contact: Contact, before: Sequence[Attempt], calls: Sequence[Attempt]) -> Inquiry:
    """What is known before a third party is asked where the debtor is."""
    asked = [a for a in before if a.person is PersonMet.THIRD_PARTY and a.contact_point == contact.contact_point]
    newest = {attempt.contact_point: attempt.result for attempt in sorted(calls, key=lambda attempt: attempt.at)}
    reached = [attempt.at for attempt in calls if attempt.result.is_right_party]
    failed = [attempt.at for attempt in calls if not reached or attempt.at > max(reached)]
    return Inquiry(
        discloses=contact.discloses,
        refused=any(attempt.result is Result.THIRD_PARTY_REFUSED for attempt in asked),
        inquiries_so_far=len(asked),
        debtor_has_valid_number=not newest or any(result is not Result.WRONG_NUMBER for result in newest.values()),
        failed_calls=len(failed),
        days_out_of_reach=(contact.at - min(failed)).days if failed else 0,
    )
