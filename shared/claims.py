"""The claims of a token, each of the right type. Whatever passes here also makes a valid entry of the trail: a subject
is short and printable, a lender's id is one that a lender can have."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from shared.errors import DomainError, ErrorKind
from shared.events.envelope import ActorRef

SUBJECT_CHARACTERS_MAX = 200
NUMERIC_DATE_MAX = 253_402_300_799
"""The last second of the year 9999, the last that a time here can name."""
LENDER_ID = re.compile(r"[a-z][a-z0-9-]{1,40}")
LOGS_OF_OUR_OWN = ("operator", "access")
"""Logs of the trail that belong to no lender: no lender has such an id."""


class Unauthenticated(DomainError):
    """The request has no token, or its token is not valid. Answered by 401."""

    kind = ErrorKind.FORBIDDEN


def _checked_subject(text: str) -> str:
    if not 1 <= len(text) <= SUBJECT_CHARACTERS_MAX or not text.isprintable() or text != text.strip():
        raise ValueError("not a subject")
    return text


def _checked_lender_id(text: str) -> str:
    if not LENDER_ID.fullmatch(text) or text in LOGS_OF_OUR_OWN:
        raise ValueError("not a lender's id")
    return text


def _checked_actor(text: str) -> str:
    found = ActorRef.parse(text)
    if not re.fullmatch(r"[a-z]{1,20}", found.kind):
        raise ValueError("not an actor")
    _checked_subject(found.ref)
    return text


Subject = Annotated[str, Field(strict=True), AfterValidator(_checked_subject)]
NumericDate = Annotated[float, Field(strict=True, ge=0, le=NUMERIC_DATE_MAX, allow_inf_nan=False)]
Names = Annotated[list[Annotated[str, Field(strict=True)]], Field(strict=True)]


class RealmAccess(BaseModel):
    """Where Keycloak lists the roles."""

    roles: Names | None = None


class Claims(BaseModel):
    """What a token says of its bearer. Claims of other names are ignored."""

    sub: Subject
    exp: NumericDate
    iat: NumericDate | None = None
    nbf: NumericDate | None = None
    roles: Names | None = None
    realm_access: RealmAccess | None = None
    lender_id: Annotated[str, Field(strict=True), AfterValidator(_checked_lender_id)] | None = None
    on_behalf_of: Annotated[str, Field(strict=True), AfterValidator(_checked_actor)] | None = None

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self:
        """The claims of a payload. Raises Unauthenticated, which names the claims and quotes none of their values."""
        try:
            return cls.model_validate(payload)
        except ValidationError as error:
            wrong = sorted({str(each["loc"][0]) for each in error.errors(include_input=False, include_context=False)})
        if wrong == ["sub"]:
            detail = (
                f"The claim `sub` must be text of 1 to {SUBJECT_CHARACTERS_MAX} printable characters, without a space "
                "at either end. Ask the token's issuer for another subject."
            )
            raise Unauthenticated("token-subject", detail)
        detail = f"These claims do not have the right form: {', '.join(wrong)}. The token's issuer must correct them."
        raise Unauthenticated("token-claims", detail)

    @property
    def role_names(self) -> list[str]:
        """The roles that the issuer gives, of ours and of other systems."""
        return self.roles or (self.realm_access and self.realm_access.roles) or []
