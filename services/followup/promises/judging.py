"""What is to be published, and which visit is asked for, when a promise stands otherwise than before.

The one rule: an event says how a promise stands now and its judgement's number, so that a later judgement corrects an
earlier one, and nothing that was published is taken for the last word.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.followup.promises.domain import PromiseStatus, Standing
from shared.events.followup import (
    InstalmentMissed,
    PromiseBroken,
    PromiseCancelled,
    PromiseCured,
    PromiseEvent,
    PromiseKept,
    PromisePartiallyKept,
    PromiseReopened,
    PromiseSuperseded,
)
from shared.events.values import Amount
from shared.law import VisitPurpose
from shared.money import Money

ENDINGS = {
    PromiseStatus.KEPT: PromiseKept,
    PromiseStatus.PARTIALLY_KEPT: PromisePartiallyKept,
    PromiseStatus.BROKEN: PromiseBroken,
}
NOT_KEPT = frozenset({PromiseStatus.BROKEN, PromiseStatus.PARTIALLY_KEPT})
# Who paid something showed good will: the visit that follows sees how the debtor is, and demands nothing.
REVISIT_PURPOSES = {
    PromiseStatus.BROKEN: VisitPurpose.DEMAND,
    PromiseStatus.PARTIALLY_KEPT: VisitPurpose.FOLLOW_UP,
}
ACCOUNTS_RECALLED = "ACCOUNTS_RECALLED"


@dataclass(frozen=True, slots=True)
class Judged:
    """How a promise was published to stand. `missed`: the instalments, counted from 0."""

    status: PromiseStatus
    judgement: int = 0
    missed: frozenset[int] = frozenset()


def events_of(case_id: UUID, before: Judged, after: Standing, today: date) -> Iterator[PromiseEvent]:
    """The events that lead from what was published to how the promise stands now, in their order."""
    promise = after.promise

    def amount(minor: int) -> Amount:
        return Amount.of(Money.of_minor(minor, promise.currency))

    same = {"case_id": case_id, "promise_id": promise.id}
    for miss in after.missed:
        if miss.instalment not in before.missed:
            yield InstalmentMissed(
                **same, instalment=miss.instalment + 1, due=amount(miss.due), paid=amount(miss.paid), on=miss.on
            )
    if not changed(before, after):
        return
    settled = {
        **same,
        "promised": amount(promise.promised),
        "paid": amount(after.total_paid),
        "on": today,
        "judgement": before.judgement + 1,
    }
    if _is_cured(before, after):
        yield PromiseCured(**settled, status=after.status)
    elif before.status is PromiseStatus.KEPT or (before.status is PromiseStatus.CANCELLED and after.stands):
        yield PromiseReopened(**settled, status=after.status)
    elif after.status in ENDINGS:
        yield ENDINGS[after.status](**settled)
    elif after.status is PromiseStatus.SUPERSEDED and after.superseded_by is not None:
        yield PromiseSuperseded(**same, by_promise_id=after.superseded_by)
    elif after.status is PromiseStatus.CANCELLED:
        yield PromiseCancelled(**same, reason=promise.cancel_reason or ACCOUNTS_RECALLED)


def changed(before: Judged, after: Standing) -> bool:
    """Whether there is a new judgement: another status, or an instalment that is no longer missed."""
    forgiven = before.missed - {miss.instalment for miss in after.missed}
    return after.status is not before.status or (after.status is PromiseStatus.ACTIVE and bool(forgiven))


def _is_cured(before: Judged, after: Standing) -> bool:
    if before.status is PromiseStatus.ACTIVE:
        return after.status is PromiseStatus.ACTIVE
    return before.status in NOT_KEPT and after.status in (PromiseStatus.KEPT, PromiseStatus.ACTIVE)
