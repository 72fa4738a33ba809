"""Names of environment variables that nothing reads: a misspelt setting would otherwise keep its default in silence."""

import os
from difflib import get_close_matches
from importlib import import_module

from pydantic_settings import DotEnvSettingsSource

from shared.settings import PREFIX, Settings, dotenv_file

SERVICES = ("cases", "visits", "followup", "audit")
# Read by the compose file, the local servers and the tests, not by a service.
OTHERS = frozenset(
    {
        "CACHE", "CHECKPOINTS_VOLUME", "PORT", "SECRETS_DIR", "VERSION",
        "AUDIT_API_DATABASE_URL", "AUDIT_DATABASE_URL", "AUDIT_WORKER_DATABASE_URL", "CASES_DATABASE_URL",
        "FOLLOWUP_DATABASE_URL", "VISITS_DATABASE_URL",
    }
)  # fmt: skip
# Settings of earlier releases, and where their values belong now.
AGENCY = "It differs by lender: record it by PUT /cases/v1/lenders/{id}/agency."
MOVED = dict.fromkeys(("AGENCY_REVIEWED_ON", "AGENCY_LISTED", "AGENT_CHANGED_AT"), AGENCY)
OTHER_KINDS = ("BENCH_", "GATEWAY_", "TEST_")


def unknown_variables() -> list[str]:
    """A sentence about each variable, of the environment or of `.env`, that is no setting of any service."""
    given = {name.upper() for name in [*os.environ, *_dotenv_names()]}
    ours = {name.removeprefix(PREFIX) for name in given if name.startswith(PREFIX)}
    known = OTHERS | {name.upper() for name in Settings.model_fields}
    strange = {name for name in ours - known if not name.startswith(OTHER_KINDS)}
    if not strange:
        return []
    for service in SERVICES:
        fields = vars(import_module(f"services.{service}.settings"))[f"{service.capitalize()}Settings"].model_fields
        known = known | {name.upper() for name in fields}
    return [_sentence(name, known) for name in sorted(strange - known)]


def _sentence(name: str, known: frozenset[str]) -> str:
    if name in MOVED:
        return f"{PREFIX}{name} is no setting any more and has no effect. {MOVED[name]}"
    near = get_close_matches(name, sorted(known), n=1)
    perhaps = f" Perhaps {PREFIX}{near[0]} is right?" if near else ""
    return f"{PREFIX}{name} is not a setting of Doorstep and has no effect.{perhaps}"


def _dotenv_names() -> list[str]:
    try:
        return list(DotEnvSettingsSource(Settings, env_file=dotenv_file()).env_vars)
    except UnicodeDecodeError:
        return []  # loading the settings reports it
