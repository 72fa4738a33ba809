"""Settings of the service audit."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import WEB_ADDRESS, Settings


class AuditSettings(Settings):
    signing_key_file: Path | None = Field(None, description="private key (PEM, Ed25519) that signs the checkpoints")
    trail_origin: str = Field(
        "doorstep", pattern=r"^[a-z0-9.-]{1,80}$", description="name of this deployment in every checkpoint"
    )
    heartbeat_seconds: int = Field(
        3600, ge=1, description="how often each log of the trail gets an entry that says: it is kept, nothing else came"
    )

    checkpoint_dir: Path | None = Field(
        None,
        description="folder to which each checkpoint is copied, too, best on another disk (it must exist); default: "
        "`checkpoints` in the keys' folder, made at the first start; start and `trail verify` check logs against it",
    )
    witness_policy_file: Path | None = Field(
        None, description="who cosigns the checkpoints, and how many of them are enough (a file as C2SP tlog-policy)"
    )
    witness_fail: Literal["closed", "open"] = Field(
        "closed",
        description="closed: without a quorum of witnesses no checkpoint is published; open: it is, and shows the lack",
    )
    witness_timeout_seconds: float = Field(5.0, gt=0, description="how long a witness may take")
    tsa_url: str | None = Field(
        None,
        pattern=WEB_ADDRESS,
        description="address of a time stamping authority (RFC 3161) for every checkpoint that is kept",
    )
    tsa_ca_file: Path | None = Field(
        None, description="certificate (PEM) under which its time stamps verify, intermediates behind it"
    )
    tsa_timeout_seconds: float = Field(10.0, gt=0, description="how long the authority may take")

    trail_verify_hours: float = Field(
        24, gt=0, description="how often the whole trail is derived again in the background; also after each start"
    )
    trail_verify_processes: int = Field(1, ge=1, le=64, description="processes of that verification")

    @property
    def checkpoint_folder(self) -> Path:
        """Where each checkpoint is copied to: outside the database, so that a restored database is noticed."""
        return self.checkpoint_dir or self.keys_path / "checkpoints"

    def production_problems(self) -> list[str]:
        problems = super().production_problems()
        if self.signing_key_file is None:
            problems.append("a development key would sign the trail: set DOORSTEP_SIGNING_KEY_FILE")
        if self.trail_origin == "doorstep":
            problems.append("two deployments must not share a name: set DOORSTEP_TRAIL_ORIGIN to the host's")
        return problems
