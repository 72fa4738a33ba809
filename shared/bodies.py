"""Bodies of requests. A body forbids unknown fields: a misspelt name is an error, never a value that was not sent.

Only the phone's reports take unknown fields, since a newer phone may know more than this service. `PhoneBody` sets
them aside, at any depth, so that the report keeps them sealed and the answer names them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from shared.errors import Invalid
from shared.money import AMOUNT_MINOR_MAX, AmountTooLarge, Money, NotMoney
from shared.text import all_storable

TEXT_CHARACTERS_MAX = 10_000
REASON_CHARACTERS_MAX = 1_000
AMOUNT_DIGITS_MAX = 30
PLACES_MAX = 50  # a body of a million faults is answered by the first ones
SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_ODD_NAME = "(a name that is not repeated here)"


def shown_name(name: object) -> str:
    """A field's name or place in a list, for a message. A name that is not a short identifier may be personal data: it
    is not repeated."""
    return str(name) if isinstance(name, int) or _NAME.fullmatch(str(name)) else _ODD_NAME


def shown_path(path: Iterable[object]) -> str:
    return ".".join(map(shown_name, path))


def places_of(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Where a validation failed, and why: never the value."""
    return [{"where": shown_path(each["loc"]), "what": _what(each)} for each in errors[:PLACES_MAX]]


def _what(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "This field is unknown: leave it out, or correct its name"
    what: str = error["msg"]
    return what


def malformed(places: Sequence[dict[str, str]]) -> Invalid:
    """The error of a request that does not have the form of its route."""
    return Invalid("malformed", "The request is not valid: see `errors` for the fields.", errors=list(places))


class _Storable(BaseModel):
    @field_validator("*")
    @classmethod
    def _can_be_text(cls, value: Any) -> Any:
        if not all_storable(value):
            raise ValueError("a text has no NUL and no half of a surrogate pair: leave the character out")
        return value


class Body(_Storable):
    """Base of each body of a request, and of each model in one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=TEXT_CHARACTERS_MAX)


Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_CHARACTERS_MAX, strip_whitespace=True)]


class ReasonBody(Body):
    """Why a person does or asks for something, in words. It is stored sealed and appears in no event."""

    reason: Reason


def names_nothing(evidence: str) -> bool:
    """Whether a digest or an id stands for no evidence: it is empty, all zeros, or the SHA-256 of an empty file."""
    return evidence == SHA256_OF_NOTHING or not evidence.strip(" -0")


def _names_something(evidence: str) -> str:
    if names_nothing(evidence):
        raise ValueError("this is the digest or id of nothing: send that of the evidence itself")
    return evidence


NamesEvidence = AfterValidator(_names_something)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), NamesEvidence]


class AmountBody(Body):
    """Money in a request: {"amount": "1250.00", "currency": "TWD"}. At most AMOUNT_MINOR_MAX minor units."""

    amount: Annotated[Decimal, Field(max_digits=AMOUNT_DIGITS_MAX)]
    currency: Annotated[str, Field(max_length=10)]

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        try:
            _ = self.money
        except AmountTooLarge:
            raise ValueError(f"an amount has at most {AMOUNT_MINOR_MAX} minor units (cents)") from None
        except NotMoney:
            pass  # the use case answers what else is wrong, line by line
        return self

    @property
    def money(self) -> Money:
        """The amount as money. Raises NotMoney."""
        return Money.parse(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that a phone sent and this service does not know."""

    path: tuple[str | int, ...]
    value: Any

    @property
    def where(self) -> str:
        return shown_path(("body", *self.path))


class PhoneBody(_Storable):
    """Base of the phone's reports, and of each model in one. Unknown fields are set aside in `unknown_fields`; they are
    no part of the model, so that no dump or event holds them."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, str_max_length=TEXT_CHARACTERS_MAX)

    _unknown: list[UnknownField] = PrivateAttr(default_factory=list)

    @property
    def unknown_fields(self) -> list[UnknownField]:
        """Those of this model and of all models in it."""
        return self._unknown

    @model_validator(mode="after")
    def _set_aside(self) -> Self:
        extra = self.__pydantic_extra__ or {}
        self._unknown = [UnknownField((name,), value) for name, value in extra.items()]
        extra.clear()
        for name in type(self).model_fields:
            self._unknown += _within(getattr(self, name), (name,))
        return self


def _within(value: Any, path: tuple[str | int, ...]) -> list[UnknownField]:
    if isinstance(value, PhoneBody):
        return [UnknownField((*path, *each.path), each.value) for each in value.unknown_fields]
    if isinstance(value, list):
        return [each for index, item in enumerate(value) for each in _within(item, (*path, index))]
    return []


class PhoneAmount(PhoneBody):
    """Money in a phone's report, as in any other body."""

    amount: Annotated[Decimal, Field(max_digits=AMOUNT_DIGITS_MAX)]
    currency: Annotated[str, Field(max_length=10)]
