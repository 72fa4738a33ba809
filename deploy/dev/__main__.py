"""`python -m deploy.dev postgres kafka`: start local servers, print their addresses, and stay until Ctrl-C."""

import argparse
import json
import signal
import sys
from contextlib import ExitStack

from deploy.dev.kafka import kafka
from deploy.dev.postgres import postgres
from deploy.dev.processes import ServerMissing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.dev", description=__doc__)
    parser.add_argument("servers", nargs="+", choices=["postgres", "kafka"])
    parser.add_argument("--nodes", type=int, default=1, help="Kafka nodes")
    parser.add_argument("--json", action="store_true", help="addresses as one JSON document")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    addresses = {}
    try:
        with ExitStack() as stack:
            if "postgres" in wanted.servers:
                addresses["DOORSTEP_TEST_POSTGRES_URL"] = stack.enter_context(postgres()).server_url
            if "kafka" in wanted.servers:
                addresses["DOORSTEP_TEST_KAFKA"] = stack.enter_context(kafka(nodes=wanted.nodes)).bootstrap
            if wanted.json:
                print(json.dumps(addresses), flush=True)
            else:
                print("\n".join(f"export {name}={value}" for name, value in addresses.items()), flush=True)
                print("Ctrl-C ends them.", file=sys.stderr)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except ServerMissing as missing:
        print(missing, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
