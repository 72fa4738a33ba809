"""Time stamps (RFC 3161): an authority that is not ours says since when a checkpoint has existed. Its one rule: a stamp
that does not verify under the authority's certificate is not kept.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    Verifier,
    VerifierBuilder,
    decode_timestamp_response,
)
from sqlalchemy import func, select

from services.audit.attestations.checkpoints import MINUTE_CHARACTERS, minute_of
from services.audit.attestations.tables import CHECKPOINT, CHECKPOINT_STAMP
from services.audit.settings import AuditSettings
from shared.bulk import insert_into
from shared.database import Database, Transaction
from shared.settings import SettingsRefused
from shared.telemetry import TRAIL_UNSTAMPED_SECONDS

REPLY_BYTES_MAX = 64 * 1024
ROUND_STAMPS_MAX = 20
SETTLED = timedelta(seconds=10)  # so long after its minute no checkpoint of it comes any more


class StampInvalid(Exception):
    """A time stamp that proves nothing, or none at all; the text says why."""


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A checkpoint that is kept for good and has no time stamp yet."""

    log_id: str
    size: int
    note: str
    made_at: datetime


class TimeAuthority:
    """An authority at an address, known by its certificate (PEM; intermediates may stand behind the root)."""

    def __init__(self, ca_file: Path, url: str = "", timeout_seconds: float = 5.0) -> None:
        try:
            self._certificates = x509.load_pem_x509_certificates(ca_file.read_bytes())
        except (OSError, ValueError) as error:
            raise StampInvalid(
                f"{ca_file}: no certificate in PEM can be read there ({type(error).__name__})"
            ) from error
        self._url = url
        self._client = httpx.AsyncClient(timeout=timeout_seconds)

    async def close(self) -> None:
        await self._client.aclose()

    async def stamp(self, note: str) -> bytes:
        """A verified time stamp over a checkpoint, DER. Raises StampInvalid, also where nobody answers."""
        request = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
        headers = {"content-type": "application/timestamp-query"}
        try:
            reply = await self._client.post(self._url, content=request.as_bytes(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StampInvalid(f"the authority does not answer ({type(error).__name__})") from error
        if reply.status_code != 200 or len(reply.content) > REPLY_BYTES_MAX:
            raise StampInvalid(f"the authority answered with status {reply.status_code}, {len(reply.content)} bytes")
        self._check(reply.content, note, nonce=request.nonce)
        return reply.content

    def time_of(self, stamp: bytes, note: str) -> datetime:
        """Since when the checkpoint existed, as a kept stamp says. Raises StampInvalid."""
        return self._check(stamp, note)

    def _check(self, stamp: bytes, note: str, nonce: int | None = None) -> datetime:
        try:
            response = decode_timestamp_response(stamp)
            self._verifier(nonce).verify_message(response, note.encode())
            return response.tst_info.gen_time.replace(tzinfo=UTC)
        except (VerificationError, ValueError) as error:
            raise StampInvalid(f"the time stamp does not hold: {error}") from error

    def _verifier(self, nonce: int | None) -> Verifier:
        root, *intermediates = self._certificates
        return VerifierBuilder(roots=[root], intermediates=intermediates, nonce=nonce).build()


def authority_of(settings: AuditSettings) -> TimeAuthority | None:
    """The authority that the settings name, if any. Raises SettingsRefused where they do not fit."""
    if settings.tsa_ca_file is None and settings.tsa_url is None:
        return None
    if settings.tsa_ca_file is None:
        raise SettingsRefused("DOORSTEP_TSA_URL needs DOORSTEP_TSA_CA_FILE: a stamp that is not verified is not kept.")
    try:
        return TimeAuthority(settings.tsa_ca_file, settings.tsa_url or "", settings.tsa_timeout_seconds)
    except StampInvalid as invalid:
        raise SettingsRefused(f"DOORSTEP_TSA_CA_FILE: {invalid}") from invalid


class Stamper:
    """Has checkpoints stamped: the last one of each minute, once the minute is over."""

    def __init__(self, database: Database, authority: TimeAuthority) -> None:
        self._database = database
        self._authority = authority

    async def close(self) -> None:
        await self._authority.close()

    async def stamp_due(self, now: datetime) -> int:
        """Stamp some of the checkpoints that are due, the oldest first. Returns how many. Raises StampInvalid."""
        async with self._database.reading() as tx:
            due = await unstamped(tx, now)
        waits = now - min((each.made_at for each in due), default=now)
        TRAIL_UNSTAMPED_SECONDS.set(waits.total_seconds())
        for each in due:
            stamp = await self._authority.stamp(each.note)
            row = {"log_id": each.log_id, "size": each.size, "stamp": stamp, "stamped_at": now.isoformat()}
            async with self._database.transaction() as tx:
                await tx.session.execute(insert_into(tx, CHECKPOINT_STAMP).values(row).on_conflict_do_nothing())
        return len(due)


async def unstamped(tx: Transaction, now: datetime) -> list[Unstamped]:
    """Kept checkpoints without a time stamp, the oldest first: each the last of a minute that is over."""
    of_log = CHECKPOINT_STAMP.c.log_id == CHECKPOINT.c.log_id
    stamped = select(func.max(CHECKPOINT_STAMP.c.size)).where(of_log).scalar_subquery()
    rows = await tx.session.execute(
        select(CHECKPOINT)
        .where(
            CHECKPOINT.c.size > func.coalesce(stamped, 0),
            func.substr(CHECKPOINT.c.made_at, 1, MINUTE_CHARACTERS) < minute_of(now - SETTLED),
        )
        .order_by(CHECKPOINT.c.made_at, CHECKPOINT.c.log_id)
        .limit(ROUND_STAMPS_MAX)
    )
    return [Unstamped(row.log_id, row.size, row.note, datetime.fromisoformat(row.made_at)) for row in rows]
