"""`python -m services.audit.verification.child`: a process that scans sections of logs, one line of JSON each, until
its standard input ends. It answers on standard output, in lines of JSON, too. Its one rule: it imports little, since
somebody waits for it."""

import asyncio
import gc
import json
import sys
from dataclasses import asdict
from typing import Any

from services.audit.tlog.note import Verifier
from services.audit.verification.scan import Section, scan
from services.audit.verification.source import open_source


def say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


async def main() -> None:
    hello = json.loads(sys.stdin.readline())
    verifiers = [Verifier.parse(vkey) for vkey in hello["vkeys"]]
    gc.disable()  # rows come and go by the million, none of them in a cycle
    async with open_source(hello["url"], hello["snapshot"]) as source:
        while line := await asyncio.to_thread(sys.stdin.readline):
            section = Section(**json.loads(line))
            found = await scan(source, section, verifiers, lambda count: say({"done": count}))
            say({"answer": asdict(found)})


if __name__ == "__main__":
    asyncio.run(main())
