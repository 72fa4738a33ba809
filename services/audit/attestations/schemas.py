"""Replies about logs and their checkpoints. Hashes are hex, as 64 digits."""

from pydantic import BaseModel


class LogView(BaseModel):
    """A log: `vkey` is the key that its checkpoints verify under (C2SP signed note)."""

    log: str
    origin: str
    size: int
    root: str
    checkpoint_size: int
    vkey: str
