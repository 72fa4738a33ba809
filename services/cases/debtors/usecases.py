"""Open debtors, verify addresses, record notices, and read personal data; each read is an event of its own."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import insert, or_, select
from sqlmodel import col

from services.cases.casefile import usecases as casefile
from services.cases.casefile.tables import CaseRow
from services.cases.debtors import domain
from services.cases.debtors.domain import OpenDebtor
from services.cases.debtors.schemas import NoticeBody, Recorded, Refused, VerificationBody
from services.cases.debtors.tables import AddressRow, AssignmentRow, DebtorRow, DutyRow, NoticeRow
from services.cases.ledger import accounts as ledger_accounts
from services.cases.lenders.profile import NoticeProof
from shared.auth import Actor, Role
from shared.bulk import among, each_of
from shared.database import Transaction
from shared.errors import NotFound
from shared.events.cases import AddressVerified, DebtorRecognised, DossierRead, NoticeRecorded
from shared.ids import new_id
from shared.money import MINOR_DIGITS
from shared.sealing import Place
from shared.vault import Item

CONTACT = "contact"
"""The class of a debtor's data that say who it is and where it lives."""


async def cases_by_reference(tx: Transaction, lender_id: str, digests: Collection[bytes]) -> dict[bytes, UUID]:
    """The cases of a lender's known debtors, by the digests of the debtors' references."""
    of_lender = col(DebtorRow.lender_id) == lender_id
    rows = await tx.session.scalars(each_of(tx, DebtorRow, col(DebtorRow.ref_digest), digests, of_lender))
    return {row.ref_digest: row.case_id for row in rows}


# Cases that were just opened wait for the flush until all of them is published. These inserts must not hasten it: the
# cases' versions would then be written twice.
_WITHOUT_FLUSH = {"autoflush": False}


async def open_all(tx: Transaction, commands: Sequence[OpenDebtor], cases: Mapping[UUID, CaseRow]) -> None:
    """Open the debtors of cases that this transaction opens: each under a key of its own. Publishes which person a
    debtor is, where that is known."""
    debtors, addresses = [], []
    address_ids = [new_id() for _ in commands]
    for command, address_id, identity, address in zip(
        commands, address_ids, *await _seal(tx, commands, address_ids), strict=True
    ):
        case = cases[command.case_id]
        debtors.append(
            {
                "id": command.id,
                "case_id": case.id,
                "lender_id": case.lender_id,
                "ref_digest": command.ref_digest,
                "sealed_identity": identity,
            }
        )
        addresses.append({"id": address_id, "case_id": case.id, "debtor_id": command.id, "sealed": address})
        if command.person_ref is not None:
            event = DebtorRecognised(case_id=case.id, person_ref=command.person_ref)
            tx.publish(event, aggregate=case)
    if debtors:
        await tx.session.execute(insert(DebtorRow), debtors, execution_options=_WITHOUT_FLUSH)
        await tx.session.execute(insert(AddressRow), addresses, execution_options=_WITHOUT_FLUSH)


async def _seal(
    tx: Transaction, commands: Sequence[OpenDebtor], address_ids: Sequence[UUID]
) -> tuple[list[bytes], list[bytes]]:
    """The sealed identities and addresses of new debtors."""
    items = [
        Item(_subject(command.id), _identity_place(command.id), domain.packed(command.identity)) for command in commands
    ] + [
        Item(_subject(command.id), _address_place(address_id), domain.packed(command.address))
        for command, address_id in zip(commands, address_ids, strict=True)
    ]
    sealed = await tx.vault.seal_all(CONTACT, items, new=True)
    return sealed[: len(commands)], sealed[len(commands) :]


def _subject(debtor_id: UUID) -> str:
    return f"debtor/{debtor_id.hex}"


def _identity_place(debtor_id: UUID) -> Place:
    return Place("debtor", "sealed_identity", (debtor_id,), before="debtor-identity")


def _address_place(address_id: UUID) -> Place:
    return Place("address", "sealed", (address_id,), before="debtor-address")


async def record_first_notice(tx: Transaction, cases: Sequence[CaseRow], notice: NoticeProof) -> None:
    """Record and publish the notice that a lender sent to the debtors of cases that this transaction opens."""
    facts = notice.model_dump()
    rows = [{"id": new_id(), "case_id": case.id, **facts} for case in cases]
    for case, row in zip(cases, rows, strict=True):
        event = NoticeRecorded(
            case_id=case.id,
            notice_id=row["id"],
            kind=notice.kind,
            channel=notice.channel,
            sent_at=notice.sent_at,
            proof_digest=notice.proof_digest,
        )
        tx.publish(event, aggregate=case)
    if rows:
        await tx.session.execute(insert(NoticeRow), rows, execution_options=_WITHOUT_FLUSH)


async def verify_addresses(tx: Transaction, checks: Sequence[VerificationBody]) -> Recorded:
    """Record whether addresses are real, and whether they lie in a hazard zone."""
    cases = await casefile.lock_all(tx, [check.case_id for check in checks])
    rows = await tx.session.scalars(select(AddressRow).where(col(AddressRow.case_id).in_(cases)))
    addresses = {row.case_id: row for row in rows}
    refused = []
    for index, check in enumerate(checks):
        case, address = cases.get(check.case_id), addresses.get(check.case_id)
        if case is None or address is None:
            refused.append(Refused(index=index, code="case-not-found", message="There is no such case here."))
        elif check.at > tx.now:
            refused.append(Refused(index=index, code="in-the-future", message="A check cannot lie in the future."))
        else:
            address.verified, address.hazard = check.verified, check.hazard
            address.method, address.checked_at = check.method, check.at
            address.place_type = check.place_type or address.place_type
            event = AddressVerified(
                case_id=case.id,
                address_id=address.id,
                verified=check.verified,
                hazard=check.hazard,
                place_type=check.place_type,
            )
            tx.publish(event, aggregate=case)
    return Recorded(recorded=len(checks) - len(refused), refused=refused)


async def record_notices(tx: Transaction, notices: Sequence[NoticeBody]) -> Recorded:
    """Record what debtors were sent. A prior notice counts from the first one on."""
    cases = await casefile.lock_all(tx, [notice.case_id for notice in notices])
    refused = []
    for index, notice in enumerate(notices):
        case = cases.get(notice.case_id)
        if case is None:
            refused.append(Refused(index=index, code="case-not-found", message="There is no such case here."))
            continue
        if notice.sent_at > tx.now:
            refused.append(Refused(index=index, code="in-the-future", message="A notice cannot lie in the future."))
            continue
        row = NoticeRow(id=new_id(), **notice.model_dump())
        tx.session.add(row)
        if notice.kind == "PRIOR_NOTICE":
            casefile.note_prior_notice(case, notice.sent_at)
        event = NoticeRecorded(
            case_id=case.id,
            notice_id=row.id,
            kind=row.kind,
            channel=row.channel,
            sent_at=row.sent_at,
            proof_digest=row.proof_digest,
        )
        tx.publish(event, aggregate=case)
    return Recorded(recorded=len(notices) - len(refused), refused=refused)


async def notices_of(tx: Transaction, case_ids: Collection[UUID]) -> dict[UUID, list[NoticeRow]]:
    """What the debtors of these cases were sent, in the order in which it was recorded."""
    statement = select(NoticeRow).where(col(NoticeRow.case_id).in_(case_ids)).order_by(col(NoticeRow.id))
    found: dict[UUID, list[NoticeRow]] = defaultdict(list)
    for row in await tx.session.scalars(statement):
        found[row.case_id].append(row)
    return found


async def find_debtors(tx: Transaction, lender_id: str, reference: str, digest_key: bytes) -> list[DebtorRow]:
    """Whom a lender means by a reference of its own, a debtor's or an account's; a debtor who owes in two currencies
    is two. Raises NotFound. The caller records the reading."""
    digests = [domain.reference_digest(digest_key, lender_id, f"{code}/{reference}") for code in MINOR_DIGITS]
    by_account = await ledger_accounts.case_of_account(tx, lender_id, reference)
    statement = select(DebtorRow).where(
        col(DebtorRow.lender_id) == lender_id,
        or_(col(DebtorRow.ref_digest).in_(digests), col(DebtorRow.case_id) == by_account),
    )
    found = list(await tx.session.scalars(statement.order_by(col(DebtorRow.id))))
    if not found:
        raise NotFound("debtor-not-found", "This lender has no debtor and no account of that reference here.")
    return found


def collector_of(actor: Actor) -> str | None:
    """The collector for whom an actor acts, also by way of a service; None for everybody else. A supervisor who
    collects, too, acts as a supervisor."""
    behalf = actor.on_behalf_of
    if behalf is not None:
        return behalf.ref if behalf.kind == Role.COLLECTOR else None
    return actor.subject if actor.has(Role.COLLECTOR) and not actor.has(Role.SUPERVISOR) else None


async def assignments_of(tx: Transaction, case_ids: Collection[UUID], collector: str) -> list[AssignmentRow]:
    """The open visits of a collector to these cases."""
    rows = await tx.session.scalars(select(AssignmentRow).where(col(AssignmentRow.case_id).in_(case_ids)))
    return [row for row in rows if str(row.collector_id) == collector]


async def is_off_duty(tx: Transaction, collector_id: UUID) -> bool:
    """Whether a collector is suspended or has left. One of whom cases has not heard yet is on duty."""
    status = await tx.session.scalar(select(col(DutyRow.status)).where(col(DutyRow.collector_id) == collector_id))
    return status in domain.OFF_DUTY


async def recordable_by(tx: Transaction, case_ids: Collection[UUID], actor: Actor) -> set[UUID]:
    """Of these cases, those of which an actor may record what happened: a collector while under way to the debtor,
    also when a hold or a suspension came meanwhile."""
    collector = collector_of(actor)
    if collector is None:
        return set(case_ids)
    return {row.case_id for row in await assignments_of(tx, case_ids, collector) if row.dispatched}


async def check_recordable(tx: Transaction, case_id: UUID, actor: Actor) -> None:
    """A collector records while under way to the debtor only. Raises NotFound."""
    if case_id not in await recordable_by(tx, [case_id], actor):
        raise NotFound("case-not-found", "There is no such case here: a team records while it is under way to it.")


async def open_identity(
    tx: Transaction, case_id: UUID
) -> tuple[domain.Identity, list[tuple[AddressRow, domain.Address]], list[NoticeRow]]:
    """A debtor's personal data in the clear. Raises Erased. The caller records the reading."""
    statement = (
        select(DebtorRow, AddressRow)
        .outerjoin(AddressRow, col(AddressRow.case_id) == col(DebtorRow.case_id))
        .where(col(DebtorRow.case_id) == case_id)
        .order_by(col(AddressRow.id))
    )
    rows = (await tx.session.execute(statement)).all()
    debtor = rows[0][0]
    sealed = debtor.sealed_identity
    identity = await tx.vault.open(_subject(debtor.id), CONTACT, _identity_place(debtor.id), sealed)
    addresses = await _opened(tx, [address for _, address in rows if address is not None])
    notices = await tx.session.scalars(
        select(NoticeRow).where(col(NoticeRow.case_id) == case_id).order_by(col(NoticeRow.id))
    )
    return domain.identity_in(identity), addresses, list(notices)


async def _opened(tx: Transaction, rows: Sequence[AddressRow]) -> list[tuple[AddressRow, domain.Address]]:
    """Addresses in the clear, without those that were erased."""
    items = [Item(_subject(row.debtor_id), _address_place(row.id), row.sealed) for row in rows]
    contents = await tx.vault.open_all(CONTACT, items)
    return [
        (row, domain.address_in(content)) for row, content in zip(rows, contents, strict=True) if content is not None
    ]


async def open_positions(tx: Transaction, case_ids: Sequence[UUID]) -> dict[UUID, tuple[float, float]]:
    """Positions (degrees) of the cases that have one. The caller records the reading."""
    rows = await tx.session.scalars(
        select(AddressRow).where(among(tx, col(AddressRow.case_id), case_ids)).order_by(col(AddressRow.id).desc())
    )
    positions = {}
    for row, address in await _opened(tx, list(rows)):
        if address.latitude is not None and address.longitude is not None:
            positions[row.case_id] = (address.latitude, address.longitude)
    return positions


def record_reading(tx: Transaction, case_ids: Sequence[UUID], *, reason: str, lender_id: str | None) -> None:
    """Say that personal data of these cases were read, and by whom (the transaction's actor). None read, none said."""
    if not case_ids:
        return
    read_id = new_id()
    event = DossierRead(case_ids=sorted(case_ids), reason=reason)
    tx.publish_as(event, subject=read_id, version=1, key=read_id, lender_id=lender_id)
