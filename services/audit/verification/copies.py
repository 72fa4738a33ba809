"""The folder of copied checkpoints, as a verification takes it."""

from typing import Any

from services.audit.attestations.checkpoints import copies_mark
from services.audit.attestations.copies import CheckpointFolder
from services.audit.settings import AuditSettings


def copies_to_check(settings: AuditSettings) -> dict[str, Any]:
    """The arguments of `verify` about copies: the copies, their folder, whether the settings or the keys expect them.
    Raises OSError for a folder that cannot be read."""
    folder = settings.checkpoint_folder
    expected = settings.checkpoint_dir is not None or copies_mark(settings).exists()
    try:
        against = CheckpointFolder(folder).sample()
    except FileNotFoundError:
        return {"against": [], "copies_in": str(folder), "copies_expected": expected}
    return {"against": against, "copies_in": str(folder), "copies_expected": True}
