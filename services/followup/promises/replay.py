"""What a case's promises, payments and acts come to, replayed day by day.

The one rule: each day is replayed by what belongs to it, whatever the order in which it was heard of. So a payment that
is reported late, or reversed months after, ends where it would have ended had it been known on its day. Amounts are in
minor units; days are the debtor's.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.followup.promises.domain import (
    Applied,
    Closing,
    Ending,
    Missed,
    Money,
    Promise,
    PromiseStatus,
    Standing,
    least_kept,
)
from shared.instalments import OnMissed

ONE_DAY = timedelta(days=1)


def replay(
    promises: Iterable[Promise], payments: Iterable[Money], closings: Iterable[Closing], now: datetime
) -> dict[UUID, Standing]:
    """How each promise of a case stands at `now`, by its id. `closings` are in the order in which they happened: an
    account leaves once."""
    known = {promise.id: Standing(promise, PromiseStatus.ACTIVE, [0] * len(promise.dues)) for promise in promises}
    made = sorted(known.values(), key=_by_act)
    ended, money = list(closings), defaultdict[date, list[Money]](list)
    for payment in sorted(payments, key=_by_need):
        money[payment.received_on].append(payment)
    for day in _days(made, money, ended):
        _morning(made, day)
        for payment in money[day]:
            _pay(made, payment)
        for standing in made:
            _close(standing, ended, day)
        for standing in made:
            if day < local_day(now, standing.promise.terms.time_zone):
                _judge(standing, day)
    return known


def _by_act(standing: Standing) -> tuple[date, datetime, UUID]:
    return standing.promise.made_on, standing.promise.made_at, standing.promise.id


def _by_need(payment: Money) -> tuple[bool, UUID]:
    """Of one day: money that can go to fewer promises is placed first."""
    return payment.account_id is None, payment.id


def _days(made: Sequence[Standing], paid_on: Iterable[date], closings: Sequence[Closing]) -> list[date]:
    days = {*paid_on, *(closing.on for closing in closings), *(standing.promise.made_on for standing in made)}
    days |= {due.counts_until for standing in made for due in standing.promise.dues}
    return sorted(days | {one.promise.cancelled_on for one in made if one.promise.cancelled_on is not None})


def local_day(now: datetime, time_zone: str) -> date:
    """The debtor's day at a moment."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def _morning(made: Sequence[Standing], day: date) -> None:
    """A promise of this day takes the place of the earlier ones that name one of its accounts."""
    for newer in made:
        if newer.promise.made_on != day or not newer.stands:
            continue
        for older in made:
            if older is newer:
                break
            if older.stands and older.promise.made_on <= day and _share_accounts(older.promise, newer.promise):
                older.end(PromiseStatus.SUPERSEDED, day)
                older.superseded_by = newer.promise.id


def _share_accounts(one: Promise, other: Promise) -> bool:
    """A promise that names no account is about all of the case."""
    mine, theirs = one.terms.accounts, other.terms.accounts
    return not mine or not theirs or not mine.isdisjoint(theirs)


def _pay(made: Sequence[Standing], payment: Money) -> None:
    """Give a payment to the promises that it counts for, the earliest due day that is not paid first. What is left goes
    to none."""
    takers = [one for one in made if _takes(one, payment)]
    unpaid = [(one, number) for one in takers for number in range(len(one.paid))]
    unpaid.sort(key=lambda item: (item[0].promise.dues[item[1]].due_on, _by_act(item[0])))
    left = payment.amount
    for standing, number in unpaid:
        share = min(left, standing.promise.dues[number].amount - standing.paid[number])
        if share > 0:
            standing.paid[number] += share
            standing.applied.append(Applied(payment.id, number, share))
            left -= share
    for standing in takers:
        if standing.total_paid == standing.promise.promised:
            standing.end(PromiseStatus.KEPT, payment.received_on)


def _takes(standing: Standing, payment: Money) -> bool:
    promise = standing.promise
    if not standing.stands or promise.made_on > payment.received_on or promise.currency != payment.currency:
        return False
    if payment.visit_id is not None and payment.visit_id == promise.visit_id and not promise.terms.down_payment:
        return False
    accounts = promise.terms.accounts
    return payment.account_id is None or not accounts or payment.account_id in accounts


def _close(standing: Standing, closings: Sequence[Closing], day: date) -> None:
    """End a promise that a person took back, or whose accounts have all left: paid, it is kept; else it is void."""
    if not standing.stands or standing.promise.made_on > day:
        return
    if standing.promise.cancelled_on is not None and standing.promise.cancelled_on <= day:
        standing.end(PromiseStatus.CANCELLED, day)
        return
    ended = [
        closing
        for closing in closings
        if closing.on <= day and (standing.promise.made_on <= closing.on or closing.is_recall_of_all)
    ]
    endings = [
        next((closing.ending for closing in ended if closing.account_id in (None, account)), None)
        for account in standing.promise.terms.accounts or (None,)
    ]
    if None in endings:
        return
    standing.by_balance = all(ending is Ending.PAID for ending in endings)
    standing.end(PromiseStatus.KEPT if standing.by_balance else PromiseStatus.CANCELLED, day)


def _judge(standing: Standing, day: date) -> None:
    """At the end of grace: what came until now against all that was due until now."""
    dues = standing.promise.dues
    ripe = [number for number, due in enumerate(dues) if due.counts_until == day]
    if not standing.stands or not ripe or standing.promise.made_on > day:
        return
    due, paid, last = sum(item.amount for item in dues[: ripe[-1] + 1]), standing.total_paid, ripe[-1] == len(dues) - 1
    if paid >= least_kept(due, standing.promise.terms):
        if last:
            standing.end(PromiseStatus.KEPT, day)
        return
    standing.missed.append(Missed(ripe[-1], day, paid, due))
    if last or standing.promise.terms.on_missed is OnMissed.END:
        standing.end(PromiseStatus.PARTIALLY_KEPT if paid else PromiseStatus.BROKEN, day)


def judged_at(standing: Standing, now: datetime) -> datetime | None:
    """When a standing promise is judged next, unless it is paid before: the debtor's midnight at the end of a day."""
    if not standing.stands:
        return None
    zone = ZoneInfo(standing.promise.terms.time_zone)
    today = now.astimezone(zone).date()
    coming = [due.counts_until for due in standing.promise.dues if due.counts_until >= today]
    return datetime.combine(min(coming) + ONE_DAY, time(0), zone) if coming else None
