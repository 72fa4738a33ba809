"""The times of a log's checkpoints: when each was made, and the time stamps beside them. Without the authority's
certificate its word cannot be verified; what was stamped and is gone is found all the same. That later checkpoints bear
later times is not asked: a clock may be put back."""

from datetime import datetime

from services.audit.trail.timestamps import StampInvalid, TimeAuthority
from services.audit.verification.domain import Kind, Problem
from services.audit.verification.source import Source

STAMPS = """
SELECT checkpoint_stamp.size, checkpoint_stamp.stamp, checkpoint.note FROM checkpoint_stamp
LEFT JOIN checkpoint ON checkpoint.log_id = checkpoint_stamp.log_id AND checkpoint.size = checkpoint_stamp.size
WHERE checkpoint_stamp.log_id = $1 ORDER BY checkpoint_stamp.size"""


MADE = "SELECT size, made_at FROM checkpoint WHERE log_id = $1 ORDER BY size"


async def time_problems(source: Source, log: str) -> list[Problem]:
    """Each checkpoint that was made at what is no time with offset."""
    found = []
    async for page in source.pages(MADE, log):
        for size, made_at in page:
            try:
                told = datetime.fromisoformat(made_at).tzinfo is not None
            except ValueError:
                told = False
            if not told:
                detail = f"the time at which the checkpoint of size {size} was made is none"
                found.append(Problem(size, Kind.PROJECTION_DIFFERS, detail))
    return found


async def stamp_problems(source: Source, log: str, authority: TimeAuthority | None) -> list[Problem]:
    """Each stamp that does not say of its checkpoint what it should."""
    found = []
    async for page in source.pages(STAMPS, log):
        for size, stamp, note in page:
            if note is None:
                detail = f"a checkpoint of size {size} was stamped and is not here"
                found.append(Problem(size, Kind.STAMP_BAD, detail))
            elif authority is not None:
                try:
                    authority.time_of(stamp, note)
                except StampInvalid as invalid:
                    found.append(Problem(size, Kind.STAMP_BAD, f"the checkpoint of size {size}: {invalid}"))
    return found
