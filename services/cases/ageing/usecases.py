"""Age the cases of a lender for its new day, a page at a time: days past due, bucket, referral, the differences that
show with the days. A page is one transaction: a killed worker goes on with the next one."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_, select
from sqlmodel import col

from services.cases.ageing.tables import AgeingRow
from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.ledger import accounts as ledger_accounts
from services.cases.ledger.books import lenders_day, open_books
from services.cases.ledger.domain.standing import CaseStanding, Phase
from services.cases.ledger.tables import AccountRow
from services.cases.lenders import usecases as lenders
from services.cases.lenders.profile import FeedProfile
from services.cases.lenders.tables import LenderRow
from services.cases.referral import usecases as referral
from shared.database import Transaction
from shared.errors import Conflict

PAGE_CASES = 500
LOOK_AGAIN = timedelta(hours=1)  # at a lender that has no profile, and so no cases yet


async def due_lender(tx: Transaction) -> str | None:
    """A lender whose cases are not aged for its day yet."""
    statement = (
        select(col(LenderRow.id))
        .outerjoin(AgeingRow, col(AgeingRow.lender_id) == col(LenderRow.id))
        .where(or_(col(AgeingRow.next_at).is_(None), col(AgeingRow.next_at) <= tx.now))
        .order_by(col(LenderRow.id))
        .limit(1)
    )
    found: str | None = await tx.session.scalar(statement)
    return found


async def age_page(tx: Transaction, lender_id: str) -> int:
    """Age the next page of a lender's cases. Returns how many cases it looked at."""
    await lenders.lock_lender(tx, lender_id)
    row = await tx.session.get(AgeingRow, lender_id)
    if row is None:
        row = AgeingRow(lender_id=lender_id, day=tx.now.date(), next_at=tx.now)
        tx.session.add(row)
    try:
        _, profile = await lenders.profile_of(tx, lender_id)
    except Conflict:
        row.next_at = tx.now + LOOK_AGAIN
        return 0
    today = lenders_day(tx.now, profile)
    if row.next_at > tx.now:
        return 0  # another worker was first
    if row.day != today:
        row.day, row.after = today, None
    page = await _page(tx, lender_id, row.after)
    await _age(tx, page, profile)
    if len(page) < PAGE_CASES:
        row.after, row.next_at = None, _midnight(today + timedelta(days=1), ZoneInfo(profile.time_zone))
    else:
        row.after = page[-1]
    return len(page)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


async def _page(tx: Transaction, lender_id: str, after: UUID | None) -> Sequence[UUID]:
    """Cases with an open account, or with one that changes with the days alone."""
    unsettled = (
        exists().select_from(AccountRow).where(col(AccountRow.case_id) == col(CaseRow.id), col(AccountRow.unsettled))
    )
    statement = select(col(CaseRow.id)).where(
        col(CaseRow.lender_id) == lender_id, or_(col(CaseRow.open_accounts) > 0, unsettled)
    )
    if after is not None:
        statement = statement.where(col(CaseRow.id) > after)
    return list(await tx.session.scalars(statement.order_by(col(CaseRow.id)).limit(PAGE_CASES)))


async def _age(tx: Transaction, case_ids: Sequence[UUID], profile: FeedProfile) -> None:
    cases = await casefile.lock_all(tx, case_ids)
    late = await ledger_accounts.age_all(tx, case_ids, lenders_day(tx.now, profile))
    changing = await open_books(tx, [case_id for case_id, found in late.items() if found.unsettled], profile)
    changing.keep_all()
    for case_id, case in cases.items():
        standing = CaseStanding(
            owed_minor=case.balance_minor,
            overpaid_minor=case.overpaid_minor,
            asked_minor=case.asked_minor,
            days_past_due=late[case_id].days_past_due,
            open_accounts=case.open_accounts,
            phase=Phase(case.phase),
        )
        if casefile.restate(tx, case, standing, accounts=case.accounts):
            referral.refer_if_warranted(tx, case)
