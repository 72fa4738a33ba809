"""Accounts, and the entries that say what each owes. Entries are only added: triggers refuse any change of them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field

from services.cases.base import CasesTable
from shared.database import UtcTime
from shared.tenants import owned

_LISTED = text("differences > 0")


class AccountRow(CasesTable, table=True):
    """One account. What follows from its entries is kept here, too, so that lists need not derive it: balance, asked,
    received, payments, days, state, differences. `entries` is the number of its entries; `stated_*` are of the
    statement that counts. `unsettled`: something in it changes with the days alone, such as open cash. `opening`: what
    the books before the ledger had otherwise (decision 0041)."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("lender_id", "account_ref"),
        Index("ix_account_listed", "id", sqlite_where=_LISTED, postgresql_where=_LISTED),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    case_id: UUID = Field(foreign_key="case_file.id", index=True)
    lender_id: str
    account_ref: str
    product: str
    currency: str
    state: str
    balance_minor: int = Field(sa_type=BigInteger)
    asked_minor: int = Field(sa_type=BigInteger)
    received_minor: int = Field(default=0, sa_type=BigInteger)
    payments: int = 0
    days_past_due: int
    stated_days: int
    stated_on: date
    entries: int
    differences: int = 0
    unsettled: bool = False
    opening: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


class LedgerEntryRow(CasesTable, table=True):
    """An entry, as services/cases/ledger/domain/entries.py says. `seq` counts the entries of an account from 1."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("account_id", "seq"),
        UniqueConstraint("account_id", "kind", "reference"),
        Index("ix_ledger_entry_lender_id_id", "lender_id", "id"),
        owned(tenant="lender_id"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    lender_id: str
    seq: int
    kind: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    value_date: date
    posted_on: date
    assumed: bool
    booked_at: datetime = Field(sa_type=UtcTime)
    source: str
    reference: str | None = None
    original_value_date: date | None = None
    components: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    receipt_number: str | None = Field(default=None, index=True)
    refers_to: str | None = None
    issue: int | None = None
    days_past_due: int | None = None
