"""Bodies and replies about recalls."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.cases.recalls.domain import RecallReason, RecallResult
from shared.bodies import Body
from shared.claims import LENDER_ID

ACCOUNTS_MAX = 1_000
AccountRef = Annotated[str, Field(min_length=1, max_length=100)]


class RecalledAccountBody(Body):
    account_ref: AccountRef
    reason: RecallReason


class RecallsBody(Body):
    """Accounts, by the lender's references. A supervisor names the lender for which it acts."""

    accounts: Annotated[list[RecalledAccountBody], Field(min_length=1, max_length=ACCOUNTS_MAX)]
    lender_id: Annotated[str | None, Field(pattern=f"^{LENDER_ID.pattern}$")] = None


class RecallResultView(BaseModel):
    account_ref: str
    result: RecallResult
    code: str | None = None
    message: str | None = None


class RecallResultsView(BaseModel):
    """One result for each account, in their order."""

    items: list[RecallResultView]


class RecallView(BaseModel):
    id: UUID
    account_id: UUID
    case_id: UUID
    reason: RecallReason
    recalled_on: date
    recalled_by: str
    recalled_at: datetime
