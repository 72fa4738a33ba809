"""What is personal in a visit, sealed by the visit's key in the vault: where it is planned, what the debtor said, and
fields of reports that this service does not know. The case is above its visits: to destroy its keys destroys theirs."""

import json
from collections.abc import Sequence
from uuid import UUID

from services.visits.distance import Position
from services.visits.visit.tables import VisitRow, VisitSecretRow
from shared.database import Transaction
from shared.sealing import Place
from shared.vault import Item

VISIT = "visit"
"""The class of all that is personal in a visit: it is deleted at one time."""


def subject_of(visit: VisitRow) -> str:
    """A case has one debtor, whom this service does not know: so the case names the person here."""
    return f"case/{visit.case_id.hex}/visit/{visit.id.hex}"


def _position(visit_id: UUID) -> Place:
    return Place("visit_secret", "sealed_position", (visit_id,), before="visit-position")


def _statement(visit_id: UUID) -> Place:
    return Place("visit_secret", "sealed_statement", (visit_id,), before="visit-statement")


def fields_place(visit_id: UUID, report: str, sent_by: str) -> Place:
    """The place of a report's unknown fields."""
    before = f"visit-unknown-fields/{report}"
    return Place("visit_unknown_fields", "sealed_fields", (visit_id, report, sent_by), before=before)


async def new_secrets(tx: Transaction, planned: Sequence[tuple[VisitRow, Position]]) -> list[VisitSecretRow]:
    """The rows of new visits' secrets. Their keys are made by one statement."""
    items = [Item(subject_of(visit), _position(visit.id), json.dumps(at).encode()) for visit, at in planned]
    sealed = await tx.vault.seal_all(VISIT, items, new=True)
    return [
        VisitSecretRow(visit_id=visit.id, sealed_position=each)
        for (visit, _), each in zip(planned, sealed, strict=True)
    ]


async def position_of(tx: Transaction, visit: VisitRow) -> Position | None:
    """Where the visit is planned, in degrees. Raises Erased."""
    secret = await tx.session.get(VisitSecretRow, visit.id)
    if secret is None:
        return None
    opened = await tx.vault.open(subject_of(visit), VISIT, _position(visit.id), secret.sealed_position)
    latitude, longitude = json.loads(opened)
    return latitude, longitude


async def store_statement(tx: Transaction, visit: VisitRow, statement: str, salt: bytes) -> None:
    """Seal the debtor's words with the salt of their commitment. Raises Erased."""
    secret = await tx.session.get_one(VisitSecretRow, visit.id)
    packed = json.dumps({"salt": salt.hex(), "statement": statement}, ensure_ascii=False).encode()
    secret.sealed_statement = await tx.vault.seal(subject_of(visit), VISIT, _statement(visit.id), packed)


async def statement_of(tx: Transaction, visit: VisitRow) -> str | None:
    """The debtor's words as they were reported, or None where there are none. Raises Erased."""
    secret = await tx.session.get(VisitSecretRow, visit.id)
    if secret is None or secret.sealed_statement is None:
        return None
    packed = await tx.vault.open(subject_of(visit), VISIT, _statement(visit.id), secret.sealed_statement)
    statement: str = json.loads(packed)["statement"]
    return statement
