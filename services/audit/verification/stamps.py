"""The times of a log's checkpoints: when each was made, and the time stamps beside them. Without the authority's
certificate its word cannot be verified; what was stamped and is gone is found all the same."""

from datetime import datetime

from services.audit.attestations.timestamps import StampInvalid, TimeAuthority
from services.audit.verification.domain import Kind, Problem
from services.audit.verification.source import Source

STAMPS = """
SELECT checkpoint_stamp.size, checkpoint_stamp.stamp, checkpoint.note, stamped_at FROM checkpoint_stamp
LEFT JOIN checkpoint ON checkpoint.log_id = checkpoint_stamp.log_id AND checkpoint.size = checkpoint_stamp.size
WHERE checkpoint_stamp.log_id = $1 ORDER BY checkpoint_stamp.size"""


# Each checkpoint with the time of the last entry that it signs, and that of the entry behind.
MADE = """
SELECT checkpoint.size, made_at, last.recorded_at, following.recorded_at FROM checkpoint
LEFT JOIN entry AS last ON last.log_id = checkpoint.log_id AND last.idx = checkpoint.size - 1
LEFT JOIN entry AS following ON following.log_id = checkpoint.log_id AND following.idx = checkpoint.size
WHERE checkpoint.log_id = $1 ORDER BY checkpoint.size"""
SLACK_SECONDS = 60.0
STAMP_SLACK_SECONDS = 600.0  # an authority's clock is its own


async def time_problems(source: Source, log: str, now: datetime) -> list[Problem]:
    """Each checkpoint that was made at what is no time with offset, or at a time that its entries rule out: before the
    last entry that it signs, after the one behind it, or after now. A clock that is put back shows in entries, too."""
    found = []
    async for page in source.pages(MADE, log):
        for size, made_at, before, after in page:
            made = _time(made_at)
            if made is None:
                detail = f"the time at which the checkpoint of size {size} was made is none"
                found.append(Problem(size, Kind.PROJECTION_DIFFERS, detail))
                continue
            last, following = _time(before), _time(after) or now
            if last is None:
                continue
            early, late = min(last, following), max(last, following)
            if not -SLACK_SECONDS <= (made - early).total_seconds() <= (late - early).total_seconds() + SLACK_SECONDS:
                detail = (
                    f"the checkpoint of size {size} was not made at the time that it names: its entries are of another"
                )
                found.append(Problem(size, Kind.TIME_CHANGED, detail))
    return found


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


async def stamp_problems(source: Source, log: str, authority: TimeAuthority | None) -> list[Problem]:
    """Each stamp that does not say of its checkpoint what it should."""
    found = []
    async for page in source.pages(STAMPS, log):
        for size, stamp, note, stamped_at in page:
            if note is None:
                detail = f"a checkpoint of size {size} was stamped and is not here"
                found.append(Problem(size, Kind.STAMP_BAD, detail))
            elif authority is not None:
                try:
                    stamped = authority.time_of(stamp, note)
                except StampInvalid as invalid:
                    found.append(Problem(size, Kind.STAMP_BAD, f"the checkpoint of size {size}: {invalid}"))
                    continue
                ours = _time(stamped_at)
                if ours is None or abs((ours - stamped).total_seconds()) > STAMP_SLACK_SECONDS:
                    detail = f"the checkpoint of size {size} was stamped at another time than its row says"
                    found.append(Problem(size, Kind.TIME_CHANGED, detail))
    return found
