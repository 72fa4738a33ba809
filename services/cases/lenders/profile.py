"""The feed profile: how a lender's file is to be read. A YAML or JSON document that a lender's own people can write."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.bodies import Body, places_of, shown_name
from shared.differences import Change, changed_fields, flat
from shared.errors import Invalid
from shared.events.values import PRODUCT_CODE
from shared.law import LegalMoment
from shared.money import NotMoney, minor_digits
from shared.plain_yaml import NotPlain, read_plain

# Our field → what it holds. The lender's column names stand on the right-hand side of `columns`.
FIELDS = (
    "account_ref", "debtor_ref", "name", "national_id", "phone", "language", "product", "balance", "currency",
    "days_past_due", "months_past_due", "last_payment_on", "address", "district", "latitude", "longitude", "country",
    "region", "as_of",
)  # fmt: skip
REQUIRED = ("account_ref", "balance")
NoticeChannel = Literal["LETTER", "EMAIL", "SMS"]
AsOfMeans = Literal["END_OF_DAY", "START_OF_DAY"]
DIGEST = r"^[0-9a-f]{64}$"
WORDS_MAX = 1_000
PROFILE_VERSIONS_MAX = 1_000_000_000
Word = Annotated[str, Field(min_length=1, max_length=200)]
ProductCode = Annotated[str, Field(pattern=PRODUCT_CODE)]


class _Section(Body):
    model_config = ConfigDict(frozen=True)


class NoticeProof(_Section):
    """The lender's proof that each debtor of a file was told, before the placement, who would collect. In a profile it
    is the proof of the files that bring none of their own, for some time."""

    kind: Literal["PRIOR_NOTICE"] = "PRIOR_NOTICE"
    channel: NoticeChannel = "LETTER"
    sent_at: LegalMoment
    proof_digest: Annotated[str, Field(pattern=DIGEST)]


class Codes(_Section):
    """A lender's own words for our codes, a table a field: the word in a cell, and the code that it stands for."""

    product: dict[Word, ProductCode] = Field(default_factory=dict, max_length=WORDS_MAX)


class FeedProfile(_Section):
    """How to read a file: which column is which, and what holds for its rows. `country`, `region` (the part of it, ISO
    3166-2 without the country), `jurisdiction` and `time_zone` are what holds where a row says nothing of its own;
    `transferred` says whether the claims were bought. `codes` maps the lender's words to our codes.

    `as_of_means`: whether a file of a day holds the postings of that day. `posting_delay`: working days between a
    payment's value date and its book day, where a line names none. `accrual_per_day`: the share of a balance that a day
    of interest may add."""

    columns: dict[str, str]
    currency: str
    time_zone: str
    jurisdiction: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z0-9]{1,3})?$")]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    region: Annotated[str | None, Field(pattern=r"^[A-Z0-9]{1,3}$")] = None
    transferred: bool | None = None
    product: ProductCode
    codes: Codes = Codes()
    date_format: str = "%Y-%m-%d"
    days_in_month: Annotated[int, Field(ge=28, le=31)] = 30
    as_of_means: AsOfMeans = "END_OF_DAY"
    posting_delay: Annotated[int, Field(ge=0, le=30)] = 0
    accrual_per_day: Annotated[Decimal, Field(ge=0, le=1, max_digits=10)] = Decimal(0)
    notice: NoticeProof | None = None
    third_party_columns: tuple[str, ...] = ()

    @field_validator("columns")
    @classmethod
    def _known_fields(cls, columns: dict[str, str]) -> dict[str, str]:
        strange = sorted(set(columns) - set(FIELDS))
        if strange:
            raise ValueError(f"{shown_name(strange[0])} is no field of ours; there are {', '.join(FIELDS)}")
        lacking = [name for name in REQUIRED if name not in columns]
        if lacking:
            raise ValueError(f"{lacking[0]} needs a column")
        if ("days_past_due" in columns) == ("months_past_due" in columns):
            raise ValueError("exactly one of days_past_due and months_past_due needs a column")
        return columns

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, currency: str) -> str:
        try:
            minor_digits(currency)
        except NotMoney:
            raise ValueError("an ISO 4217 code that is known here is needed, such as TWD") from None
        return currency

    @field_validator("date_format")
    @classmethod
    def _reads_dates(cls, form: str) -> str:
        try:
            datetime.strptime(date(2026, 1, 2).strftime(form), form)  # noqa: DTZ007 - a date, no time
        except (ValueError, re.error):
            raise ValueError("date_format describes a date by the codes of strptime, such as %Y-%m-%d") from None
        return form

    @model_validator(mode="after")
    def _known_zone(self) -> "FeedProfile":
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("time_zone is an IANA name such as Asia/Taipei") from None
        return self


def profile_changes(old: FeedProfile | None, new: FeedProfile) -> list[Change]:
    """What a profile changes against the one before, field by field."""
    before = flat(old.model_dump(mode="json")) if old else {}
    return list(changed_fields(before, flat(new.model_dump(mode="json")), ("profile", "檔案格式")))


def read_profile(content: bytes, *, is_yaml: bool) -> FeedProfile:
    """A profile from the bytes of a request. Raises Invalid, naming each field and what is allowed."""
    try:
        return FeedProfile.model_validate(read_plain(content)) if is_yaml else FeedProfile.model_validate_json(content)
    except ValidationError as error:
        places = places_of(error.errors())
        raise Invalid("profile", "The profile is not valid: see `errors` for the fields.", errors=places) from None
    except NotPlain as error:
        raise Invalid("profile", f"The profile is not plain YAML: {error}.", line=error.line) from None
