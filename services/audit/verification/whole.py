"""`python -m services.audit.verification.whole`: a process that verifies the whole trail, as one line of JSON on its
standard input says; it answers in one line, too."""

import asyncio
import json
import os
import sys
from typing import Any

from services.audit.tlog.note import Verifier
from services.audit.verification.child import say
from services.audit.verification.signatures import ForeignCheckpoint
from services.audit.verification.source import TrailDamaged, TrailMissing
from services.audit.verification.verify import verify


async def main() -> None:
    os.nice(10)  # nobody waits for it
    hello = json.loads(sys.stdin.readline())
    verifiers = [Verifier.parse(vkey) for vkey in hello.pop("vkeys")]
    say({"answer": await _verified(verifiers, **hello)})


async def _verified(verifiers: list[Verifier], url: str, **how: Any) -> dict[str, Any]:
    try:
        return (await verify(url, verifiers=verifiers, **how)).to_json()
    except (TrailMissing, TrailDamaged, ForeignCheckpoint) as error:
        return {"error": str(error)}


if __name__ == "__main__":
    asyncio.run(main())
