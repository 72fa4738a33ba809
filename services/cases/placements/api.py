"""Routes of placements: send a file, ask how far it is, read what was refused."""

import hashlib
import tempfile
from datetime import datetime
from decimal import Decimal
from typing import IO, Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.cases.lenders import usecases as lenders
from services.cases.lenders.profile import DIGEST, PROFILE_VERSIONS_MAX, NoticeChannel, NoticeProof
from services.cases.placements import balances, queries, usecases
from services.cases.placements.reading import CSV, JSON, NDJSON
from services.cases.placements.schemas import ISSUE_MAX, BalancesBody, BalancesView, PlacementView, RowErrorView
from shared.auth import Actor, Role, allow
from shared.errors import Invalid, TooLarge
from shared.law import StatedDay, StatedMoment
from shared.money import Money, NotMoney
from shared.web import Page, Paging, ReadTx, Tx, context_of, file_body, room

router = room("cases", tag="placements")
Sender = Annotated[Actor, allow(Role.LENDER)]
Reader = Annotated[Actor, allow(Role.LENDER, Role.SUPERVISOR, Role.COMPLIANCE, Role.ADMIN)]

CONTROL_ROWS_MAX = 1_000_000_000
KEPT_IN_MEMORY_BYTES = 1024 * 1024
_BODY = {"requestBody": {"required": True, "content": {CSV: {}, NDJSON: {}, JSON: {}}}}


@router.post("/placements", status_code=202, openapi_extra=_BODY, dependencies=[file_body])
async def receive_placement(
    request: Request,
    response: Response,
    actor: Sender,
    control_rows: Annotated[int | None, Query(ge=0, le=CONTROL_ROWS_MAX)] = None,
    control_balance: Annotated[str | None, Query(max_length=40)] = None,
    as_of: StatedDay | None = None,
    issue: Annotated[int | None, Query(ge=1, le=ISSUE_MAX)] = None,
    notice_sent_at: StatedMoment | None = None,
    notice_proof: Annotated[str | None, Query(pattern=DIGEST)] = None,
    notice_channel: NoticeChannel = "LETTER",
) -> PlacementView:
    """Send a file of accounts (CSV, NDJSON or JSON). It is stored whole or not at all, then taken in row by row: poll
    the Location. To repeat the newest file of a day changes nothing. The same bytes are read again under a newer
    profile, after a refusal, for another day or issue, with another proof of notice or control total, and after
    another file. `as_of` is the day of the file, `issue` the number of a corrected file of that day; without
    `as_of` the file is of the day before it came.
    `notice_sent_at` and `notice_proof` (SHA-256) prove that the debtors of this file were informed before; without
    them the profile's proof counts, for 92 days."""
    runtime = request.app.state.runtime
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (CSV, NDJSON, JSON):
        raise HTTPException(415, f"Send the accounts as {CSV}, {NDJSON} or {JSON}.")
    runtime.database.storage.check_reserve()
    lender_id = actor.lender_id or ""
    notice = _notice(notice_sent_at, notice_proof, notice_channel)
    # The file is read to its end before a transaction is opened: a slow sender holds no lock.
    with tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY_BYTES) as file:
        size, sha256 = await _receive(request, file, runtime.settings.placement_bytes_max)
        async with runtime.database.transaction(context_of(request)) as tx:
            tx.now = await runtime.clock.now(tx)
            _, profile = await lenders.profile_of(tx, lender_id)
            command = usecases.ReceivePlacement(
                lender_id=lender_id,
                media_type=media_type,
                file=file,
                bytes=size,
                sha256=sha256,
                control_rows=control_rows,
                control_balance_minor=_minor(control_balance, profile.currency),
                notice=notice,
                as_of=as_of,
                issue=issue,
            )
            row = await usecases.receive_placement(tx, command)
    response.headers["Location"] = f"/cases/v1/placements/{row.id}"
    return queries.view(row)


def _notice(sent_at: datetime | None, proof: str | None, channel: NoticeChannel) -> NoticeProof | None:
    if sent_at is None and proof is None:
        return None
    if sent_at is None or proof is None:
        raise Invalid("notice", "`notice_sent_at` and `notice_proof` go together: give both or neither.")
    return NoticeProof(channel=channel, sent_at=sent_at, proof_digest=proof)


async def _receive(request: Request, file: IO[bytes], bytes_max: int) -> tuple[int, str]:
    """Read the body into a file. Raises TooLarge as soon as the limit is passed, Invalid where it is cut short."""
    size, digest = 0, hashlib.sha256()
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > bytes_max:
                raise TooLarge("too-large", f"A placement has at most {bytes_max:,} bytes. Split the file.")
            digest.update(chunk)
            file.write(chunk)
    except ClientDisconnect:
        raise Invalid("upload-cut", "The upload ended early. Nothing was kept; send the file again.") from None
    if size == 0:
        raise Invalid("empty", "The file is empty: send a header and one row at least.")
    return size, digest.hexdigest()


def _minor(text: str | None, currency: str) -> int | None:
    if text is None:
        return None
    try:
        return Money.parse(Decimal(text) if text.strip() else "", currency).minor
    except (NotMoney, ArithmeticError):
        raise Invalid(
            "control-balance", f"`control_balance` must be an amount in {currency}, such as 1250.00."
        ) from None


@router.post("/balances")
async def state_balances(body: BalancesBody, actor: Sender, tx: Tx) -> BalancesView:
    """State the balances of known accounts: each line is the same as a row of a file. The same statement again changes
    nothing; what is rejected is listed with its code, the rest counts."""
    items = await balances.state_balances(tx, body.balances, lender_id=actor.lender_id or "")
    return BalancesView(items=items)


@router.get("/placements")
async def list_placements(
    _actor: Reader,
    tx: ReadTx,
    page: Paging,
    lender_id: str | None = None,
    profile_version: Annotated[int | None, Query(ge=1, le=PROFILE_VERSIONS_MAX)] = None,
) -> Page[PlacementView]:
    """The files in the order in which they were received; of one lender, and those that a version of its profile reads,
    where it is named."""
    items = await queries.list_placements(
        tx, lender_id=lender_id, profile_version=profile_version, after=page.after(UUID), limit=page.fetch
    )
    return page.of(items, key=lambda item: item.id)


@router.get("/placements/{placement_id}")
async def get_placement(placement_id: UUID, _actor: Reader, tx: ReadTx) -> PlacementView:
    """How far a file is: what was accepted and rejected, by number, code and amount."""
    return await queries.get_placement(tx, placement_id)


@router.get("/placements/{placement_id}/errors")
async def list_errors(placement_id: UUID, _actor: Reader, tx: ReadTx, page: Paging) -> Page[RowErrorView]:
    """The refused rows, in the order of the file: line, field, code and what to mend."""
    await queries.get_placement(tx, placement_id)
    rows = await queries.list_errors(tx, placement_id, after=page.after(int), limit=page.fetch)
    found = page.of(rows, key=lambda row: row[0])
    return Page(items=[error for _, error in found.items], next_cursor=found.next_cursor)
