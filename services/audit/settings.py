"""Settings of the service audit."""

from pathlib import Path

from pydantic import Field

from shared.settings import Settings


class AuditSettings(Settings):
    signing_key_file: Path | None = Field(None, description="private key (PEM, Ed25519) that signs the checkpoints")
    trail_origin: str = Field(
        "doorstep", pattern=r"^[a-z0-9.-]{1,80}$", description="name of this deployment in every checkpoint"
    )

    def production_problems(self) -> list[str]:
        problems = super().production_problems()
        if self.signing_key_file is None:
            problems.append("a development key would sign the trail: set DOORSTEP_SIGNING_KEY_FILE")
        if self.trail_origin == "doorstep":
            problems.append("two deployments must not share a name: set DOORSTEP_TRAIL_ORIGIN to the host's")
        return problems
