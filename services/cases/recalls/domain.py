"""Why a lender takes an account back."""

from enum import StrEnum


class RecallReason(StrEnum):
    SETTLED_WITH_LENDER = "SETTLED_WITH_LENDER"
    SOLD = "SOLD"
    LEGAL_ACTION = "LEGAL_ACTION"
    COMPLAINT = "COMPLAINT"
    PLACED_IN_ERROR = "PLACED_IN_ERROR"
    STRATEGY = "STRATEGY"


class RecallResult(StrEnum):
    """DUPLICATE: the account was recalled before, so nothing changed."""

    RECALLED = "RECALLED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
