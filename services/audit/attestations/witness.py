"""Witnesses: others who check that a log only grows, and cosign its checkpoints (C2SP tlog-witness). Its one rule:
nothing is called a cosignature before it was verified here.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from services.audit.attestations.witness_policy import Policy, Witness
from services.audit.tlog.note import NoteInvalid, signature_by

REPLY_BYTES_MAX = 64 * 1024
STRAGGLER_SECONDS = 0.25
SIZE_TYPE = "text/x.tlog.size"
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?")

Prove = Callable[[int], Awaitable[Sequence[bytes]]]


class WitnessRefused(Exception):
    """A witness gave no cosignature; `reason` is a word of `REASONS`, the text says more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


# What a refusal means, by its word: shown in status, logs and metrics.
REASONS = {
    "unreachable": "it does not answer",
    "unknown-log": "it does not know this log (404): give it the log's origin and key",
    "unknown-key": "it does not trust the key that signs this log (403)",
    "malformed": "it does not understand what we send (400)",
    "inconsistent": "it could not verify that the log only grew (422)",
    "ahead": "it has cosigned a larger tree of this log than the one here: was an old backup restored?",
    "forked": "it has cosigned another tree of the same size",
    "bad-signature": "what it sent is no cosignature by its key",
    "error": "it answered with an error of its own",
}


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What came of asking: the note with the cosignatures that hold, whether they are a quorum, and who refused."""

    note: str
    enough: bool
    refused: Mapping[str, WitnessRefused]


class Witnessing:
    """Asks the witnesses of a policy. It remembers how far each has followed each log, and is told where it errs."""

    def __init__(self, policy: Policy, timeout_seconds: float) -> None:
        self.policy = policy
        self._client = httpx.AsyncClient(timeout=timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._sizes: dict[tuple[str, str], int] = {}

    async def close(self) -> None:
        await self._client.aclose()

    async def cosign(self, note: str, origin: str, size: int, prove: Prove) -> Cosigned:
        """Have a checkpoint cosigned. `prove(old)` gives the consistency proof from an older size. Once there is a
        quorum, the others have a quarter of a second more: the slowest witness does not set the pace."""
        asking = {
            asyncio.create_task(self._ask(witness, note, origin, size, prove)): name
            for name, witness in self.policy.witnesses.items()
        }
        lines: dict[str, str] = {}
        refused = {name: WitnessRefused("unreachable", "slower than the others") for name in self.policy.witnesses}
        waiting = set(asking)
        try:
            while waiting:
                patience = STRAGGLER_SECONDS if self.policy.enough(lines) else None
                done, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                for task in done:
                    try:
                        lines[asking[task]] = task.result()
                        del refused[asking[task]]
                    except WitnessRefused as error:
                        refused[asking[task]] = error
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        cosigned = note + "".join(f"{lines[name]}\n" for name in self.policy.witnesses if name in lines)
        return Cosigned(cosigned, self.policy.enough(lines), refused)

    async def _ask(self, witness: Witness, note: str, origin: str, size: int, prove: Prove) -> str:
        """The line by which a witness cosigns. Where it remembers another size than we think, it is asked again from
        there, once."""
        place = witness.name, origin
        old = min(self._sizes.get(place, 0), size)
        for last in (False, True):
            status, kind, body = await self._post(witness, request_body(old, await prove(old), note))
            if status == 409 and kind == SIZE_TYPE and not last:
                known = _SIZE.fullmatch(body)
                if known is None:
                    raise WitnessRefused("error", "its 409 names no size")
                if int(known[1]) > size:
                    raise WitnessRefused("ahead", f"it has seen {int(known[1])} entries, {size} are here")
                if int(known[1]) == old:
                    raise _refusal(status, old, size)
                old = int(known[1])
                continue
            break
        if status != 200:
            raise _refusal(status, old, size)
        line = _line_of(witness, note, body)
        self._sizes[place] = size
        return line

    async def _post(self, witness: Witness, body: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the reply; nothing longer than REPLY_BYTES_MAX is taken in."""
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.stream("POST", f"{witness.url}/add-checkpoint", content=body.encode()) as reply,
            ):
                content = b""
                async for chunk in reply.aiter_bytes():
                    content += chunk
                    if len(content) > REPLY_BYTES_MAX:
                        raise WitnessRefused("error", f"its reply has more than {REPLY_BYTES_MAX} bytes")
                return reply.status_code, reply.headers.get("content-type", "").partition(";")[0].strip(), content
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise WitnessRefused("unreachable", type(error).__name__) from error


def request_body(old: int, proof: Sequence[bytes], note: str) -> str:
    """The body of add-checkpoint."""
    return f"old {old}\n" + "".join(f"{b64encode(each).decode()}\n" for each in proof) + "\n" + note


def _refusal(status: int, old: int, size: int) -> WitnessRefused:
    words = {404: "unknown-log", 403: "unknown-key", 400: "malformed", 422: "inconsistent"}
    if status == 409:
        return WitnessRefused("forked" if old == size else "error", f"status 409 from {old} to {size}")
    return WitnessRefused(words.get(status, "error"), f"status {status}")


def _line_of(witness: Witness, note: str, body: bytes) -> str:
    try:
        signature = signature_by(note + body.decode(), witness.verifier)
    except (NoteInvalid, UnicodeDecodeError) as error:
        raise WitnessRefused("bad-signature", "its reply is not made of signature lines") from error
    if signature is None:
        raise WitnessRefused("bad-signature", "no line of its reply verifies under its key")
    return witness.verifier.line(signature)
