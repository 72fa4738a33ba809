"""Kinds that are read and not judged: how long records are kept, and by when something must be answered."""

from datetime import date, timedelta
from typing import Literal

from pydantic import Field, model_validator

from shared.law import calendar
from shared.law.dates import months_after
from shared.law.kinds.base import Days, Months, Parameters

Records = Literal["all", "card", "consumer-finance", "impact-assessment"]
Matter = Literal["complaint", "erasure"]


class Retention(Parameters):
    """Records of a class are kept so many years, from the record itself or from the last collection activity."""

    years: int = Field(ge=1, le=100)
    records: Records
    starts: Literal["record", "last-activity"] = "record"


class Deadline(Parameters):
    """A matter is answered within so many days, working days or months: exactly one of them."""

    matter: Matter
    days: Days | None = None
    working_days: Days | None = None
    months: Months | None = None

    @model_validator(mode="after")
    def _names_one_unit(self) -> "Deadline":
        if sum(each is not None for each in (self.days, self.working_days, self.months)) != 1:
            raise ValueError("exactly one of days, working_days and months is needed")
        return self

    def due_on(self, start: date, country: str | None, region: str | None) -> date:
        """The last day for an answer to what came in on `start`."""
        if self.months is not None:
            return months_after(start, self.months)
        if self.working_days is not None:
            return calendar.add_business_days(country, region, start, self.working_days)
        return start + timedelta(days=self.days or 0)
