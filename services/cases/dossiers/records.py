"""What is recorded about cases, in the law's words: read once for a batch, for every room that asks the law."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.cases.casefile import queries as casefile_queries
from services.cases.casefile.tables import CaseRow
from services.cases.consents import usecases as consents
from services.cases.consents.tables import ConsentRow, PreferenceRow, QuietPeriodRow
from services.cases.debtors import usecases as debtors
from services.cases.debtors.tables import NoticeRow
from services.cases.holds import usecases as holds
from services.cases.holds.tables import HoldRow
from services.cases.ledger.domain.standing import Phase
from services.cases.lenders import usecases as lenders
from shared.database import Transaction
from shared.law import Grant, HoldFacts, HoldReason, HoldScope, QuietPeriod, QuietReason, Recorded


@dataclass(frozen=True, slots=True)
class Records:
    """By case: what the law asks for, and what the debtors prefer."""

    of_case: Mapping[UUID, Recorded]
    preferences: Mapping[UUID, PreferenceRow]


async def records_of(tx: Transaction, cases: Mapping[UUID, CaseRow], *, since: datetime) -> Records:
    """The records of these cases, for acts from `since` on."""
    held, promised = await holds.holds_since(tx, cases, since), await casefile_queries.promise_holds(tx, cases)
    given, quiet = await consents.consents_of(tx, cases), await consents.quiet_periods_of(tx, cases)
    sent, preferences = await debtors.notices_of(tx, cases), await consents.preferences_of(tx, cases)
    agencies = await lenders.agencies_of(tx, {case.lender_id for case in cases.values()})
    found = {}
    for case_id, case in cases.items():
        said = preferences.get(case_id)
        found[case_id] = Recorded(
            holds=(*map(_hold, held.get(case_id, ())), *promised.get(case_id, ()), *_recalled(case)),
            grants=tuple(map(_grant, reversed(given.get(case_id, [])))),
            quiet_periods=tuple(map(_quiet, quiet.get(case_id, ()))),
            notices=_times_by_kind(sent.get(case_id, ())),
            denied_places=said.inconvenient_places if said else (),
            employer_forbids=bool(said and said.employer_forbids),
            agency=agencies.get(case.lender_id),
        )
    return Records(found, preferences)


def _recalled(case: CaseRow) -> Iterator[HoldFacts]:
    """A case that is no longer placed with us is not contacted any more."""
    if case.phase not in (Phase.OPEN, Phase.PAID):
        yield HoldFacts(reason=HoldReason.LENDER_RECALL, scope=HoldScope.ALL, since=case.phase_at, until=None)


def _hold(row: HoldRow) -> HoldFacts:
    reason, scope = HoldReason(row.reason), HoldScope(row.scope)
    return HoldFacts(reason=reason, scope=scope, since=row.placed_at, until=row.released_at)


def _grant(row: ConsentRow) -> Grant:
    ends = [end for end in (row.valid_until, row.withdrawn_at) if end is not None]
    return Grant(scope=row.scope, evidence=str(row.id), since=row.given_at, until=min(ends, default=None))


def _quiet(row: QuietPeriodRow) -> QuietPeriod:
    return QuietPeriod(reason=QuietReason(row.reason), first_day=row.first_day, last_day=row.last_day)


def _times_by_kind(notices: Iterable[NoticeRow]) -> dict[str, Sequence[datetime]]:
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in notices:
        found[row.kind].append(row.sent_at)
    return dict(found)
