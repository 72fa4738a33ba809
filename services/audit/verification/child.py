"""`python -m services.audit.verification.child`: a process that scans sections of logs, one line of JSON each, until
its standard input ends; or that verifies the whole trail. It answers on standard output, in lines of JSON, too."""

import asyncio
import gc
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from services.audit.trail.note import Verifier
from services.audit.verification.scan import Section, scan
from services.audit.verification.signatures import ForeignCheckpoint
from services.audit.verification.source import TrailDamaged, TrailMissing, open_source
from services.audit.verification.verify import verify


def say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


async def main() -> None:
    hello = json.loads(sys.stdin.readline())
    verifiers = [Verifier.parse(vkey) for vkey in hello["vkeys"]]
    if "whole" in hello:
        os.nice(10)  # nobody waits for it
        say({"answer": await _verify_whole(hello["url"], verifiers, **hello["whole"])})
        return
    gc.disable()  # rows come and go by the million, none of them in a cycle
    async with open_source(hello["url"], hello["snapshot"]) as source:
        while line := await asyncio.to_thread(sys.stdin.readline):
            section = Section(**json.loads(line))
            found = await scan(source, section, verifiers, lambda count: say({"done": count}))
            say({"answer": asdict(found)})


async def _verify_whole(url: str, verifiers: list[Verifier], **how: Any) -> dict[str, Any]:
    try:
        return (await verify(url, verifiers=verifiers, **how)).to_json()
    except (TrailMissing, TrailDamaged, ForeignCheckpoint) as error:
        return {"error": str(error)}


if __name__ == "__main__":
    asyncio.run(main())
