"""Receive a lender's file whole, then take it in row by row. A crash in between loses nothing and doubles nothing."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select
from sqlmodel import col

from services.cases.base import TABLES
from services.cases.lenders import usecases as lenders
from services.cases.lenders.domain import check_notice, counts_for
from services.cases.lenders.profile import FeedProfile, NoticeProof
from services.cases.placements.domain import Account, RowRefused, Sent, is_repetition, read_row
from services.cases.placements.intake import FileDay, Intake
from services.cases.placements.reading import RawRow
from services.cases.placements.tables import PlacementChunkRow, PlacementRow
from shared.database import Transaction
from shared.errors import Invalid
from shared.ids import new_id
from shared.jobs import Outcome
from shared.law import Law
from shared.sealing import Place

CHUNK_BYTES = 256 * 1024
FILE = "file"
KIND = "placements"


@dataclass(frozen=True, slots=True)
class ReceivePlacement:
    """A file as it came, the totals that the lender announced for it, and the proof that its debtors were told."""

    lender_id: str
    media_type: str
    file: IO[bytes]
    bytes: int
    sha256: str
    control_rows: int | None
    control_balance_minor: int | None
    notice: NoticeProof | None = None
    as_of: date | None = None
    issue: int | None = None


async def receive_placement(tx: Transaction, command: ReceivePlacement) -> PlacementRow:
    """Store the file, sealed, and leave it to the worker. The newest file sent again is the placement that it was; any
    other content is read, also one that came before: what the lender states now counts. Raises Invalid for the proof of
    a notice that was not sent yet, and for a file of a future day."""
    if command.notice is not None:
        check_notice(command.notice.sent_at, command.notice.proof_digest, tx.now)
    await lenders.lock_lender(tx, command.lender_id)
    version, profile = await lenders.profile_of(tx, command.lender_id)
    _check_as_of(command, profile, tx.now)
    newest = await _newest(tx, command.lender_id)
    row = PlacementRow(
        id=new_id(),
        lender_id=command.lender_id,
        sha256=command.sha256,
        media_type=command.media_type,
        profile_version=version,
        bytes=command.bytes,
        status="RECEIVED",
        received_at=tx.now,
        as_of=command.as_of,
        issue=command.issue,
        control_rows=command.control_rows,
        control_balance_minor=command.control_balance_minor,
        notice=command.notice.model_dump(mode="json") if command.notice else None,
        rejected_by_code={},
        accepted_minor={},
    )
    refused = newest is not None and newest.status == "REFUSED"
    if newest and is_repetition(_sent(row, profile), _sent(newest, profile), newest_refused=refused):
        return newest
    tx.session.add(row)
    await tx.session.flush()
    await lenders.profile_used(tx, command.lender_id, version, row.id)
    command.file.seek(0)
    for number, chunk in enumerate(iter(lambda: command.file.read(CHUNK_BYTES), b"")):
        sealed = await tx.vault.seal(_subject(row), FILE, _place(row.id, number), chunk)
        await tx.session.execute(insert(PlacementChunkRow).values(placement_id=row.id, number=number, sealed=sealed))
    await TABLES.jobs.ask(tx, KIND, row.id, lender_id=row.lender_id, total=row.control_rows)
    return row


def _check_as_of(command: ReceivePlacement, profile: FeedProfile, now: datetime) -> None:
    if command.as_of is not None and command.as_of > now.astimezone(ZoneInfo(profile.time_zone)).date():
        raise Invalid("as-of", "`as_of` must not be in the future: send the file of a day that has begun.")


async def _newest(tx: Transaction, lender_id: str) -> PlacementRow | None:
    found: PlacementRow | None = await tx.session.scalar(
        select(PlacementRow)
        .where(col(PlacementRow.lender_id) == lender_id)
        .order_by(col(PlacementRow.id).desc())
        .limit(1)
    )
    return found


def _sent(row: PlacementRow, profile: FeedProfile) -> Sent:
    day = day_of(row, profile)
    return Sent(
        sha256=row.sha256,
        media_type=row.media_type,
        profile_version=row.profile_version,
        as_of=day.as_of,
        received_on=None if day.as_of else day.received_on,
        issue=day.issue,
        control_rows=row.control_rows,
        control_balance_minor=row.control_balance_minor,
        notice=row.notice,
    )


def day_of(placement: PlacementRow, profile: FeedProfile) -> FileDay:
    """Of which day a file is, by the lender's clock."""
    received_on = placement.received_at.astimezone(ZoneInfo(profile.time_zone)).date()
    return FileDay(received_on, placement.as_of, placement.issue)


def notice_of(placement: PlacementRow, profile: FeedProfile) -> NoticeProof | None:
    """The proof that the debtors of a file were told: its own, or the profile's while that counts."""
    if placement.notice is not None:
        return NoticeProof.model_validate(placement.notice)
    said = profile.notice
    return said if said is not None and counts_for(said.sent_at, placement.received_at) else None


def _subject(placement: PlacementRow) -> str:
    """The key goes with the file: it belongs to the file, not to the debtors in it."""
    return f"lender/{placement.lender_id}/placement/{placement.id.hex}"


def _place(placement_id: UUID, number: int) -> Place:
    before = f"placement/{placement_id}/{number}"
    return Place("placement_chunk", "sealed", (placement_id, number), before=before, by_master=True)


async def open_file(tx: Transaction, placement: PlacementRow) -> IO[bytes]:
    """The file of a placement, in an unnamed temporary file that the caller closes."""
    numbers = await tx.session.scalars(
        select(col(PlacementChunkRow.number))
        .where(col(PlacementChunkRow.placement_id) == placement.id)
        .order_by(col(PlacementChunkRow.number))
    )
    with ExitStack() as until_written:  # a full disk must not leave the file open
        file = until_written.enter_context(tempfile.TemporaryFile())
        for number in numbers.all():
            chunk = await tx.session.get(PlacementChunkRow, (placement.id, number))
            if chunk is not None:
                place = _place(placement.id, number)
                file.write(await tx.vault.open(_subject(placement), FILE, place, chunk.sealed))
                tx.session.expunge(chunk)
        file.seek(0)
        until_written.pop_all()
    return file


@dataclass(slots=True)
class Batch:
    """Rows of a file that are taken in one transaction: from `start`, up to and without `end`; each with its number and
    its line."""

    start: int
    end: int
    accepted: list[tuple[int, int, Account]]
    refused: list[tuple[int, int, RowRefused]]


def batches(rows: Iterator[RawRow], intake: Intake, law: Law, *, now: datetime, size: int) -> Iterator[Batch]:
    """Judge rows one by one, in batches. A second row of an account in the same file is refused."""
    seen: set[str] = set()
    batch = Batch(0, 0, [], [])
    today = now.astimezone(ZoneInfo(intake.profile.time_zone)).date()
    for number, raw in enumerate(rows):
        try:
            if raw.refused is not None:
                raise raw.refused
            account = read_row(raw.cells, intake.profile, law, today=today, at=now)
            if account.account_ref in seen:
                raise RowRefused("account_ref", "duplicate-in-file", "The account stands in this file already.")
            seen.add(account.account_ref)
            batch.accepted.append((number, raw.line, account))
        except RowRefused as refused:
            batch.refused.append((number, raw.line, refused))
        batch.end = number + 1
        if batch.end - batch.start == size:
            yield batch
            batch = Batch(batch.end, batch.end, [], [])
    if batch.end > batch.start:
        yield batch


async def take_batch(tx: Transaction, placement_id: UUID, batch: Batch, intake: Intake) -> bool:
    """Take a batch in, once: False where it was taken already (by an earlier try, or by another worker)."""
    row = await tx.session.scalar(select(PlacementRow).where(col(PlacementRow.id) == placement_id).with_for_update())
    if row is None or row.next_row != batch.start:
        return False
    taken = await intake.take(tx, [account for _, _, account in batch.accepted])
    accepted = [account for _, _, account in batch.accepted if account.account_ref not in taken.forbidden]
    refused = batch.refused + [
        (number, line, taken.forbidden[account.account_ref])
        for number, line, account in batch.accepted
        if account.account_ref in taken.forbidden
    ]
    row.updated += taken.updated
    row.accepted += len(accepted)
    row.next_row = batch.end
    row.status = "PROCESSING"
    row.accepted_minor = _added(row.accepted_minor, [(a.balance.currency, a.balance.minor) for a in accepted])
    row.rejected_by_code = _added(row.rejected_by_code, [(each.code, 1) for _, _, each in refused])
    outcomes = [Outcome(number, line, each.field, each.code, each.message) for number, line, each in refused]
    await TABLES.jobs.note(tx, placement_id, outcomes)
    return True


def _added(sums: dict[str, int], more: Sequence[tuple[str, int]]) -> dict[str, int]:
    total = dict(sums)
    for name, amount in more:
        total[name] = total.get(name, 0) + amount
    return total


async def finish(tx: Transaction, placement_id: UUID, *, problem: str | None = None) -> None:
    """The file is done, or refused as a whole; its bytes are not kept."""
    row = await tx.session.get(PlacementRow, placement_id, with_for_update=True)
    if row is not None:
        row.status = "REFUSED" if problem else "DONE"
        row.problem = problem
        await tx.session.execute(delete(PlacementChunkRow).where(col(PlacementChunkRow.placement_id) == placement_id))
        await tx.vault.forget(_subject(row))
