"""What the law asks about a batch of cases before somebody calls: read once, then asked per contact without I/O."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.cases.base import LAWBOOK
from services.cases.casefile.tables import CaseRow
from services.cases.consents import usecases as consents
from services.cases.consents.domain import Channel, is_in_force, suits
from services.cases.consents.tables import ConsentRow, PreferenceRow, QuietPeriodRow
from services.cases.contacts.domain import HISTORY_DAYS, Attempt, Contact, Result, is_judged, with_history
from services.cases.contacts.tables import ContactAttemptRow
from services.cases.debtors import usecases as debtors
from services.cases.debtors.tables import NoticeRow
from services.cases.holds import usecases as holds
from services.cases.holds.tables import HoldRow
from shared.database import Transaction
from shared.law import (
    Decision,
    Facts,
    HoldFacts,
    HoldReason,
    HoldScope,
    Law,
    NoticeKind,
    PersonMet,
    PlaceType,
    QuietPeriod,
    QuietReason,
    Step,
    Verdict,
    evaluate,
)


@dataclass(frozen=True, slots=True)
class Background:
    """Records of some cases, by case. What is tried meanwhile is added to `attempts`."""

    law: Law
    attempts: dict[UUID, list[Attempt]]
    holds: Mapping[UUID, Sequence[HoldRow]]
    consents: Mapping[UUID, Sequence[ConsentRow]]
    quiet: Mapping[UUID, Sequence[QuietPeriodRow]]
    notices: Mapping[UUID, Sequence[NoticeRow]]
    preferences: Mapping[UUID, PreferenceRow]

    def judge(self, case: CaseRow, contact: Contact) -> Decision:
        """The gate's decision on one contact; on a letter there is nothing to decide."""
        facts = with_history(self._facts(case, contact.at), contact, self.attempts[case.id])
        if not is_judged(contact.channel):
            return Decision(Step.CALL, facts, case.time_zone, (), Verdict.PASS, ())
        return evaluate(self.law.packs_of(facts), Step.CALL, facts)

    def suits(self, case: CaseRow, contact: Contact) -> bool | None:
        """Whether channel and time suit what the debtor said; None where nothing was said."""
        said = self.preferences.get(case.id)
        return None if said is None else suits(said.channels, said.windows, contact.channel, contact.at, case.time_zone)

    def _facts(self, case: CaseRow, at: datetime) -> Facts:
        valid = [row for row in self.consents.get(case.id, ()) if is_in_force(row, at)]
        said = self.preferences.get(case.id)
        return Facts(
            jurisdiction=case.jurisdiction,
            at=at,
            country=case.country,
            region=case.region,
            time_zone=case.time_zone,
            product=case.product,
            denied_places=frozenset(map(PlaceType, said.inconvenient_places)) if said else frozenset(),
            employer_forbids=bool(said and said.employer_forbids),
            holds=tuple(
                HoldFacts(reason=HoldReason(row.reason), scope=HoldScope(row.scope))
                for row in self.holds.get(case.id, ())
                if row.placed_at <= at and (row.released_at is None or at < row.released_at)
            ),
            quiet_periods=tuple(
                QuietPeriod(reason=QuietReason(row.reason), first_day=row.first_day, last_day=row.last_day)
                for row in self.quiet.get(case.id, ())
            ),
            notices=_first(self.notices.get(case.id, ())),
            first_contact_at=case.first_contact_at,
            transferred=case.transferred,
            consents={row.scope: str(row.id) for row in valid},
        )


def _first(notices: Sequence[NoticeRow]) -> dict[NoticeKind, datetime]:
    """When each kind was sent for the first time. A kind that no law knows is no fact."""
    found: dict[NoticeKind, datetime] = {}
    for row in notices:
        if row.kind in set(NoticeKind):
            kind = NoticeKind(row.kind)
            found[kind] = min(found.get(kind, row.sent_at), row.sent_at)
    return found


async def background_of(tx: Transaction, case_ids: Collection[UUID], *, since: datetime) -> Background:
    """What is known of these cases, for contacts from `since` on."""
    return Background(
        law=await LAWBOOK.law(tx),
        attempts=await _attempts(tx, case_ids, since - timedelta(days=HISTORY_DAYS)),
        holds=await holds.holds_since(tx, case_ids, since),
        consents=await consents.consents_of(tx, case_ids),
        quiet=await consents.quiet_periods_of(tx, case_ids),
        notices=await debtors.notices_of(tx, case_ids),
        preferences=await consents.preferences_of(tx, case_ids),
    )


async def _attempts(tx: Transaction, case_ids: Collection[UUID], since: datetime) -> dict[UUID, list[Attempt]]:
    """Those since then; and all of third parties, who are asked once, and never again after they refused."""
    counts = or_(col(ContactAttemptRow.at) >= since, col(ContactAttemptRow.person) == PersonMet.THIRD_PARTY)
    rows = await tx.session.scalars(
        select(ContactAttemptRow).where(col(ContactAttemptRow.case_id).in_(case_ids), counts)
    )
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    for row in rows:
        attempt = Attempt(Channel(row.channel), Result(row.result), row.at, row.contact_point, PersonMet(row.person))
        found[row.case_id].append(attempt)
    return found
