"""What the law asks about a batch of cases before a call or letter: read once, then asked per contact without
I/O."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from services.cases.base import LAWBOOK
from services.cases.casefile.tables import CaseRow
from services.cases.consents.domain import Channel, suits
from services.cases.contacts.domain import HISTORY_DAYS, Attempt, Contact, Result, step_of, with_history
from services.cases.contacts.tables import ContactAttemptRow
from services.cases.dossiers.records import Records, records_of
from shared.database import Transaction
from shared.law import Act, Decision, Law, PersonMet, evaluate, facts_of_case


@dataclass(frozen=True, slots=True)
class Background:
    """The law, and the records of some cases. What is tried meanwhile is added to `attempts`."""

    law: Law
    attempts: dict[UUID, list[Attempt]]
    records: Records

    def judge(self, case: CaseRow, contact: Contact) -> Decision:
        """The gate's decision on one contact."""
        act = Act(at=contact.at, place_type=contact.place)
        known = facts_of_case(case, self.records.of_case[case.id], act)
        facts = with_history(known, contact, self.attempts[case.id])
        return evaluate(self.law.packs_of(facts), step_of(contact.channel), facts)

    def suits(self, case: CaseRow, contact: Contact) -> bool | None:
        """Whether channel and time suit what the debtor said; None where nothing was said."""
        said = self.records.preferences.get(case.id)
        return None if said is None else suits(said.channels, said.windows, contact.channel, contact.at, case.time_zone)


async def background_of(tx: Transaction, cases: Mapping[UUID, CaseRow], *, since: datetime) -> Background:
    """What is known of these cases, for contacts from `since` on."""
    return Background(
        law=await LAWBOOK.law(tx),
        attempts=await _attempts(tx, cases, since - timedelta(days=HISTORY_DAYS)),
        records=await records_of(tx, cases, since=since),
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
