"""One row of a lender's file: what it says, in our words, or why it is refused. No I/O; a row cannot harm another."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from services.cases.lenders.domain import Defaults, NoClock, Place, clock_at, place_of
from shared.events.values import PRODUCT_CODE
from shared.law import COUNTRIES, Act, Facts, Law, Recorded, Step, Verdict, evaluate, facts_of_case, is_mistyped
from shared.money import AmountTooLarge, Money, NotMoney, UnknownCurrency
from shared.text import storable

TEXT_CHARACTERS_MAX = 500
DAYS_PAST_DUE_MAX = 36_500
_REFERENCE = re.compile(r"[^\s\x00-\x1f]{1,64}")
_MOBILE_TW = re.compile(r"\+8869\d{8}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()\-]{5,24}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_REGION = re.compile(r"[A-Z0-9]{1,3}")
_PRODUCT = re.compile(PRODUCT_CODE)
_NUMBER = re.compile(r"[+-]?\d+")


class Codes(Protocol):
    """A lender's words for our codes, a table a field."""

    @property
    def product(self) -> dict[str, str]: ...


class Profile(Defaults, Protocol):
    """What of a feed profile is needed to read a row."""

    @property
    def columns(self) -> dict[str, str]: ...
    @property
    def currency(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def date_format(self) -> str: ...
    @property
    def days_in_month(self) -> int: ...
    @property
    def third_party_columns(self) -> tuple[str, ...]: ...


class RowRefused(Exception):
    """Why a row is not taken: field, code and a message that says how to mend it."""

    def __init__(self, field: str, code: str, message: str) -> None:
        super().__init__(code)
        self.field = field
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class UnreadCase:
    """What the law can know of a row before the rest of it is read."""

    jurisdiction: str
    country: str
    region: str | None
    time_zone: str
    product: str | None = None
    transferred: bool | None = None
    first_contact_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An accepted row."""

    account_ref: str
    debtor_ref: str
    balance: Money
    days_past_due: int
    as_of: date | None
    product: str
    country: str
    region: str | None
    jurisdiction: str
    time_zone: str
    name: str | None
    national_id: str | None
    phone: str | None
    language: str | None
    address: str | None
    district: str | None
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as a lender sent it, with all that decides how it is read: its bytes, the version of the profile, its day
    (`as_of`; without it, that of receipt by the lender's clock), and what the lender states beside it."""

    sha256: str
    media_type: str
    profile_version: int
    as_of: date | None
    received_on: date | None
    issue: int | None
    control_rows: int | None
    control_balance_minor: int | None
    notice: dict[str, Any] | None


def is_repetition(sent: Sent, newest: Sent | None, *, newest_refused: bool) -> bool:
    """Whether a file repeats the newest file of its lender, so that it changes nothing. The bytes of an earlier file do
    not: they state what holds now. Nor does a file that was refused as a whole."""
    return sent == newest and not newest_refused


def read_row(row: dict[str, Any], profile: Profile, law: Law, *, today: date, at: datetime) -> Account:
    """The account that a row describes. Raises RowRefused for the first thing that is wrong."""
    cells = {field: _cell(row, field, column) for field, column in profile.columns.items()}
    latitude = _degrees("latitude", cells.get("latitude", ""), 90)
    longitude = _degrees("longitude", cells.get("longitude", ""), 180)
    place = _place(cells, profile)
    jurisdiction = law.at_place(place.country, place.region, today)
    time_zone = _time_zone(place, latitude, longitude, profile)
    if any(row.get(column) for column in profile.third_party_columns):
        unread = UnreadCase(jurisdiction, place.country, place.region, time_zone)
        facts = facts_of_case(unread, Recorded(), Act(at=at, third_party_data=True))
        refuse_by_law("third_party", "third-party-data", law, facts)
    reference = cells["account_ref"]
    if not _REFERENCE.fullmatch(reference):
        raise RowRefused("account_ref", "account-ref-malformed", "1 to 64 characters without spaces are needed.")
    balance = _balance(cells["balance"], cells.get("currency") or profile.currency)
    if paid_on := cells.get("last_payment_on"):
        _past_date("last_payment_on", paid_on, profile.date_format, today)
    return Account(
        account_ref=reference,
        debtor_ref=cells.get("debtor_ref") or reference,
        balance=balance,
        days_past_due=_days_past_due(cells, profile),
        as_of=_past_date("as_of", cells["as_of"], profile.date_format, today) if cells.get("as_of") else None,
        product=_product(cells.get("product", ""), profile),
        country=place.country,
        region=place.region,
        jurisdiction=jurisdiction,
        time_zone=time_zone,
        name=cells.get("name") or None,
        national_id=cells.get("national_id") or None,
        phone=_phone(cells.get("phone", ""), place.country),
        language=cells.get("language") or None,
        address=cells.get("address") or None,
        district=cells.get("district") or None,
        latitude=latitude,
        longitude=longitude,
    )


def _cell(row: dict[str, Any], field: str, column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, bool | float | list | dict):
        raise RowRefused(field, "value-malformed", "Write the value as a string or an integer.")
    text = str(value).strip()
    if not storable(text):
        raise RowRefused(field, "encoding", "The cell holds NUL or half of a surrogate pair: leave the character out.")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RowRefused(field, "value-too-long", f"At most {TEXT_CHARACTERS_MAX} characters.")
    return text


def _product(text: str, profile: Profile) -> str:
    """The code of a cell: the lender's word by the table, a code as it is, nothing as the profile's. Free text stays
    out: a product stands in events."""
    product = profile.codes.product.get(text, text) or profile.product
    if not _PRODUCT.fullmatch(product):
        message = "A code such as CREDIT_CARD is needed, or a word that `codes.product` of the profile maps to a code."
        raise RowRefused("product", "product-unknown", message)
    return product


def _place(cells: dict[str, str], profile: Profile) -> Place:
    country, region = cells.get("country", "").upper(), cells.get("region", "").upper()
    if country and not _COUNTRY.fullmatch(country):
        raise RowRefused("country", "country-malformed", "A code of two letters is needed (ISO 3166-1), such as US.")
    if country and country not in COUNTRIES:
        raise RowRefused("country", "country-unknown", "ISO 3166-1 has no such country. The United Kingdom is GB.")
    region = region.removeprefix(f"{country or profile.country}-")
    if region and not _REGION.fullmatch(region):
        raise RowRefused("region", "region-malformed", "A code of ISO 3166-2 is needed, such as MA or US-MA.")
    return place_of(country, region, profile)


def _time_zone(place: Place, latitude: float | None, longitude: float | None, profile: Profile) -> str:
    position = None if latitude is None or longitude is None else (latitude, longitude)
    try:
        return clock_at(place, position, profile)
    except NoClock as unknown:
        raise RowRefused("latitude", unknown.code, str(unknown)) from None


def refuse_by_law(field: str, code: str, law: Law, facts: Facts) -> None:
    """Where the law of the place forbids the intake, the row is refused with the rule's words. Raises RowRefused."""
    decision = evaluate(law.packs_of(facts), Step.INTAKE, facts)
    if decision.verdict is Verdict.BLOCK:
        [finding, *_] = decision.deciding
        raise RowRefused(field, code, f"{finding.reason_en} ({finding.rule_id})")


def _balance(text: str, currency: str) -> Money:
    if not text:
        raise RowRefused("balance", "balance-not-positive", "A balance is needed; the cell is empty.")
    try:
        balance = Money.parse(text, currency)
    except UnknownCurrency as error:
        raise RowRefused("currency", "currency-unknown", f"The balance is {error}.") from None
    except AmountTooLarge as error:
        raise RowRefused("balance", "amount-too-large", f"The balance is {error}.") from None
    except NotMoney as error:
        raise RowRefused("balance", "amount-malformed", f"The balance is {error}.") from None
    return balance


def _days_past_due(cells: dict[str, str], profile: Profile) -> int:
    field = "days_past_due" if "days_past_due" in cells else "months_past_due"
    text = cells[field]
    if not _NUMBER.fullmatch(text) or len(text) > 9:
        raise RowRefused(field, "days-past-due-malformed", "A whole number is needed.")
    days = int(text) * (profile.days_in_month if field == "months_past_due" else 1)
    if days > DAYS_PAST_DUE_MAX:
        raise RowRefused(field, "not-past-due", f"Only accounts 1 to {DAYS_PAST_DUE_MAX} days past due are taken.")
    return max(0, days)


def check_placeable(account: Account) -> None:
    """An account that is not known here is taken only if it owes something and is late; of a known one, a balance of 0
    is news. Raises RowRefused."""
    if account.balance.amount <= Decimal(0):
        raise RowRefused("balance", "balance-not-positive", "Only accounts that owe something are taken.")
    if account.days_past_due < 1:
        message = f"Only accounts 1 to {DAYS_PAST_DUE_MAX} days past due are taken."
        raise RowRefused("days_past_due", "not-past-due", message)


def _past_date(field: str, text: str, form: str, today: date) -> date:
    try:
        found = datetime.strptime(text, form).date()  # noqa: DTZ007 - a date, no time
    except ValueError:
        raise RowRefused(field, "date-malformed", "A date is needed, as `date_format` of the profile says.") from None
    if is_mistyped(found):
        raise RowRefused(field, "date-mistyped", "The year must be 2000 or later: correct the date.")
    if found > today:
        raise RowRefused(field, "date-in-future", "The date lies in the future.")
    return found


def _phone(text: str, country: str) -> str | None:
    """A phone number in E.164. The strict form is checked first: the full check costs ten times as much."""
    if not text or _MOBILE_TW.fullmatch(text):
        return text or None
    if _PHONE.fullmatch(text):
        import phonenumbers

        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise RowRefused("phone", "phone-malformed", "A phone number such as +886912345678 is needed, or an empty cell.")


def _degrees(field: str, text: str, most: int) -> float | None:
    if not text:
        return None
    try:
        degrees = float(text)
    except ValueError:
        degrees = float("nan")
    if not -most <= degrees <= most:
        raise RowRefused(field, "position-malformed", f"Degrees from -{most} to {most} are needed.")
    return degrees
