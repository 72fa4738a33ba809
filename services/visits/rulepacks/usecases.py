"""Upload a version of a pack, and decide upon it. Each service that judges hears of it; the version that is in force
stays so until the new one's first day. An upload is a request in the work list of approvals; the version's own routes
settle it, too.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from services.visits.base import APPROVALS, LAWBOOK
from services.visits.rulepacks.tables import PackVersionRow
from shared.approvals import Action, Approval, ApprovalStatus, Subject
from shared.auth import Actor, Role
from shared.database import Transaction
from shared.errors import Conflict, Invalid, TooLarge
from shared.events.visits import RulePackActivated, RulePackWithdrawn
from shared.law import Law, OutOfPlace, PackInvalid, RulePack, difference, read_pack
from shared.versions.domain import Kind, Upload, VersionStatus, begins_at, name_taken
from shared.versions.usecases import Versions

YAML_BYTES_MAX = 48 * 1024
PACKS = Versions(PackVersionRow, Kind("pack", four_eyes=True))
OFFICERS = frozenset({Role.COMPLIANCE})


@dataclass(frozen=True, slots=True)
class UploadPack:
    pack: RulePack
    effective_from: date


def read_version(pack_id: str, yaml: str) -> RulePack:
    """The pack that a text describes. Raises TooLarge, or Invalid with a sentence for each thing to mend."""
    # As it travels: an event, escapes included, must fit a leaf of the trail.
    if len(json.dumps(yaml, ensure_ascii=False).encode()) > YAML_BYTES_MAX:
        raise TooLarge("too-large", f"A rule pack has at most {YAML_BYTES_MAX:,} bytes.")
    try:
        pack = read_pack(f"{pack_id}.yaml", yaml.encode())
    except PackInvalid as error:
        sentences = str(error).splitlines()
        raise Invalid(
            "pack-invalid",
            "The pack is not valid; the version in force stays. Correct what `errors` names, and upload again.",
            errors=[{"what": sentence} for sentence in sentences],
        ) from None
    if pack.id != pack_id:
        raise Invalid(
            "pack-id", f"The text is the pack {pack.id!r}, but the address names {pack_id!r}: correct one of them."
        )
    return pack


async def upload(tx: Transaction, command: UploadPack, *, actor: Actor, dry_run: bool = False) -> PackVersionRow:
    """Propose a version; another officer decides upon it. A dry run stores nothing. Raises Conflict where its name is
    taken, Invalid where its day has begun."""
    pack, first_day = command.pack, command.effective_from
    law = await LAWBOOK.law(tx)
    if any(each.pack.id == pack.id and each.pack.version == pack.version for each in law.versions):
        raise name_taken(PACKS.kind, pack.version)
    _check_place(law, pack, first_day)
    changes = difference(law.in_force(pack.id, first_day), pack)
    found = Upload(pack.id, pack.text, pack.digest, changes, name=pack.version, effective_from=first_day)
    if dry_run:
        return await PACKS.draft(tx, found, actor=actor.ref)
    row = await PACKS.upload(tx, found, actor=actor.ref)
    until = begins_at(row.effective_from)
    await APPROVALS.ask(tx, ACTIVATE_RULE_PACK, row.id, reason=None, actor=actor, expires_at=until)
    return row


def _check_place(law: Law, pack: RulePack, first_day: date) -> None:
    try:
        law.with_version(pack, first_day)
    except OutOfPlace as wrong:
        raise Invalid("pack-out-of-place", f"{wrong}. Correct the field `within`.") from None


async def approve(tx: Transaction, row: PackVersionRow, *, actor: Actor) -> None:
    """Bring a locked version into force from its day on. Raises Conflict, Forbidden, or Invalid where its day has begun
    or the pack that it lies within is no longer in force."""
    await _activate(tx, row, actor)
    await APPROVALS.settle(tx, ACTIVATE_RULE_PACK, row.id, ApprovalStatus.APPROVED, actor=actor)


async def reject(tx: Transaction, row: PackVersionRow, *, actor: Actor) -> None:
    """Decide that a locked version does not come into force. Raises Conflict, Forbidden."""
    PACKS.reject(tx, row, actor=actor.ref)
    await APPROVALS.settle(tx, ACTIVATE_RULE_PACK, row.id, ApprovalStatus.REFUSED, actor=actor)


async def _activate(tx: Transaction, row: PackVersionRow, actor: Actor) -> None:
    await PACKS.approve(tx, row, actor=actor.ref)
    _check_place(await LAWBOOK.law(tx), read_version(row.document, row.content), row.effective_from)
    event = RulePackActivated(yaml=row.content, **_named(row))
    await LAWBOOK.learn(tx, event)
    tx.publish(event, aggregate=row)


async def withdraw(tx: Transaction, row: PackVersionRow, *, actor: Actor) -> None:
    """Take a locked version back before its first day. Raises Conflict, also where another pack lies within it."""
    was_activated = row.status == VersionStatus.ACTIVATED
    PACKS.withdraw(tx, row, actor=actor.ref)
    if not was_activated:  # only this register knew it
        await APPROVALS.settle(tx, ACTIVATE_RULE_PACK, row.id, ApprovalStatus.EXPIRED, actor=actor)
        return
    law = await LAWBOOK.law(tx)
    try:
        law.without(row.digest)
    except OutOfPlace as needed:
        raise Conflict("pack-needed", f"Withdraw the other version first: {needed}.") from None
    event = RulePackWithdrawn(**_named(row))
    await LAWBOOK.forget(tx, event)
    tx.publish(event, aggregate=row)


def _named(row: PackVersionRow) -> dict[str, Any]:
    return {
        "pack_version_id": row.id,
        "pack": row.document,
        "pack_version": row.name,
        "pack_digest": row.digest,
        "effective_from": row.effective_from,
    }


async def _facts_of_version(tx: Transaction, version_id: UUID) -> Subject:
    row = await PACKS.lock_by_id(tx, version_id)
    return Subject({"status": row.status, **{name: _named(row)[name] for name in _SEEN}})


_SEEN = ("pack", "pack_version", "pack_digest", "effective_from")


async def _activate_as_approved(tx: Transaction, approval: Approval, actor: Actor) -> None:
    await _activate(tx, await PACKS.lock_by_id(tx, approval.subject_id), actor)


async def _reject_as_refused(tx: Transaction, approval: Approval, actor: Actor) -> None:
    PACKS.reject(tx, await PACKS.lock_by_id(tx, approval.subject_id), actor=actor.ref)


ACTIVATE_RULE_PACK = Action(
    "ACTIVATE_RULE_PACK",
    effect="Version {pack_version} of the rule pack {pack} is the law from {effective_from} on, in every service.",
    asked_by=OFFICERS,
    decided_by=OFFICERS,
    expires_after=None,
    look=_facts_of_version,
    carry_out=_activate_as_approved,
    turn_down=_reject_as_refused,
)
