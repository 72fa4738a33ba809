"""Replies about the books."""

from pydantic import BaseModel


class CurrencyTotals(BaseModel):
    """received: all payments · outstanding: what is still owed · overpaid: paid beyond what was owed."""

    currency: str
    received: str
    outstanding: str
    overpaid: str
    payments: int


class TotalsView(BaseModel):
    items: list[CurrencyTotals]
