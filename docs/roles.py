"""The page docs/roles.md: which role may call which route, and which actions need a second person. Written from the
services' apps, by `make docs`."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from services.embedded import PARTS
from shared.auth import Role, rules_of
from shared.runtime import Runtime

MAY = "yes"
HEAD = """# Roles

What each role may call. Written by `make docs` from the services themselves; a test asks every route in every other
role and is refused. Why it is so: [decision 0038](decisions/0038-a-second-person-approves-and-roles.md).

A person with several roles may do what any of them may; the narrower rule of a caller ends with a role of the desk or
the field. A role that does not have a route gets 403 `role`.

| role | who has it | what narrows it |
|---|---|---|
"""
WHO: dict[Role, tuple[str, str]] = {
    Role.LENDER: (
        "a partner lender's program",
        "Its own rows only. A route of other roles answers 404, as a row of another lender does. Its token has no "
        "second role.",
    ),
    Role.COLLECTOR: (
        "a member of a field team",
        "The own visits; dossiers of the team's open visits of the day; records while under way to the debtor.",
    ),
    Role.CALLER: (
        "the phone desk",
        "What comes or goes by phone: attempts by CALL and SMS, consents of a RECORDED_CALL, complaints by CALL, "
        "dossiers with `reason=CALL` (else `not-by-phone`), promises. Places holds and ends none.",
    ),
    Role.SUPERVISOR: (
        "the desk, its leads and its approvers",
        "What needs two persons is approved by another subject than the one that asked.",
    ),
    Role.COMPLIANCE: ("officers", "As for supervisors."),
    Role.ADMIN: ("the operator: who sets the system up and runs it", "–"),
    Role.SERVICE: (
        "one of our services, on behalf of a person",
        "Only the services' own issuer gives it.",
    ),
}
ACTIONS_HEAD = """
## Actions that need a second person

One person asks by the action's own route and gets 409 `second-person`; the request waits at
`GET /{service}/v1/approvals?status=OPEN`. Another person decides at `POST /{service}/v1/approvals/{id}/approve` or
`/refuse`.

| service | action | what happens at the approval | asked by | decided by | ends after |
|---|---|---|---|---|---|
"""


COLUMNS = tuple(WHO)


def roles_page() -> str:
    who = (f"| {role} | {person} | {narrows} |\n" for role, (person, narrows) in WHO.items())
    return HEAD + "".join(who) + "\n" + "\n".join(_routes()) + "\n" + ACTIONS_HEAD + "".join(_actions())


def _routes() -> Iterator[str]:
    for name in PARTS:
        yield f"## {name}\n"
        yield f"| route | {' | '.join(COLUMNS)} |"
        yield f"|---|{'---|' * len(COLUMNS)}"
        for route, roles in rules_of_service(name).items():
            if roles is not None:
                cells = [MAY if role in roles else "" for role in COLUMNS]
                yield f"| `{route}` | {' | '.join(cells)} |"
        yield ""
    yield "Public: `/health/live`, `/health/ready`, `/metrics`, `/{service}/v1/openapi.json` and `/{service}/v1/docs`."


def rules_of_service(name: str) -> dict[str, frozenset[Role] | None]:
    """Every route of a service with its roles; None: public."""
    part = PARTS[name]
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(part.service, part.settings(data_dir=Path(folder)))
        return rules_of(part.create_app(runtime).routes)


def _actions() -> Iterator[str]:
    for name, part in PARTS.items():
        for action in part.service.approvals.actions if part.service.approvals else ():
            asked, decided = (", ".join(sorted(roles)) for roles in (action.asked_by, action.decided_by))
            days = f"{action.expires_after // timedelta(days=1)} days" if action.expires_after else "as it says"
            yield f"| {name} | {action.name} | {action.effect} | {asked} | {decided} | {days} |\n"
