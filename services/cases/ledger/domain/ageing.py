"""Days past due: the lender's figure at its day, plus the days since, while more than the tolerance is owed."""

from datetime import date

from services.cases.ledger.domain.entries import Entry


def days_past_due(figure: int, figure_on: date, owed_minor: int, today: date, *, tolerance_minor: int = 0) -> int:
    """How late an account is on a day. Paid in full is 0."""
    if owed_minor <= tolerance_minor:
        return 0
    return figure + max(0, (today - figure_on).days)


def of_statement(statement: Entry, owed_minor: int, today: date, *, tolerance_minor: int = 0) -> int:
    """How late an account is, by the statement that counts."""
    figure = statement.days_past_due or 0
    return days_past_due(figure, statement.value_date, owed_minor, today, tolerance_minor=tolerance_minor)
