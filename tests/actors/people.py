"""The people of a running house. They play the acts of the demo (services/cli/demo/acts.py), one after the other."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from services.cli.demo import acts
from services.cli.demo.acts import Act, Ask, Result
from tests.actors.samples import MONDAY, at, file_of


@dataclass(slots=True)
class Caller:
    """A person with a token. An answer of another status than `expect` fails the test with its text."""

    client: httpx.Client
    headers: dict[str, str]

    def does(self, act: Act[Result]) -> Result:
        answer: httpx.Response | None = None
        while True:
            try:
                step = act.send(answer)
            except StopIteration as end:
                result: Result = end.value
                return result
            if isinstance(step, Ask):
                answer = self._send(step.method, step.path, **step.options)
                refused = answer.is_error and answer.status_code not in step.allowed
                assert not refused, f"{step.method} {step.path}: {answer.status_code} {answer.text}"
            else:
                time.sleep(step)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def ask(self, method: str, path: str, expect: int = 200, **options: Any) -> httpx.Response:
        answer = self._send(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def get(self, path: str, expect: int = 200, **query: Any) -> Any:
        return self.ask("GET", path, expect, params=query).json()

    def post(self, path: str, body: Any = None, expect: int = 200, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", path, expect, json=body, headers=headers).json()

    def every(self, path: str, **query: Any) -> list[Any]:
        return self.does(acts.every(path, **query))


@dataclass(slots=True)
class Lender:
    """A lender with its token."""

    id: str
    caller: Caller

    def send(self, content: bytes, media_type: str = "text/csv", expect: int = 202, **query: Any) -> httpx.Response:
        headers = {"Content-Type": media_type}
        path = "/cases/v1/placements"
        return self.caller.ask("POST", path, expect, content=content, headers=headers, params=query)

    def finished(self, location: str) -> dict[str, Any]:
        """The placement at this address, once it is taken in."""
        placement: dict[str, Any] = self.caller.does(acts.taken_in(location))
        return placement

    def place(self, *rows: str) -> dict[str, Any]:
        """Send a file of such rows and wait until it has been taken in."""
        return self.finished(self.send(file_of(*rows)).headers["Location"])

    def cases(self) -> dict[str, Any]:
        """The lender's cases by account."""
        return {case["accounts"][0]["account_ref"]: case for case in self.caller.every("/cases/v1/cases")}


@dataclass(slots=True)
class Team:
    """Two collectors, each with a token of their own."""

    id: str
    collector_ids: list[str]
    collectors: list[Caller]


def check_in(team: Team, number: int = 0, **changes: Any) -> dict[str, Any]:
    """What a collector's phone reports at the address, at ten on Monday."""
    return acts.arrival(team.collector_ids[number], at(MONDAY, 10)) | changes
