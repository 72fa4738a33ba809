"""The story of a case: its entries of all logs in the order in which things happened, each told in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select, tuple_

from services.audit.search.queries import Sizes, decoded
from services.audit.story.schemas import LineView, RuleView, WhoView
from services.audit.story.sentences import tell
from services.audit.story.words import word
from services.audit.trail.projections import rules_of
from services.audit.trail.tables import ENTRY, ENTRY_SUBJECT
from shared.database import Transaction
from shared.events.cases import CaseOpened
from shared.law.packs import load_packs
from shared.law.rules import Words


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in a story: when it happened and was recorded, and which entry it is."""

    at: str
    recorded_at: str
    log: str
    index: int


async def zone_of(tx: Transaction, ref: str, sizes: Sizes) -> ZoneInfo:
    """The time zone of the debtor's address, as the case was opened; UTC where that is not known."""
    rows = await tx.session.scalars(
        select(ENTRY.c.leaf)
        .join(ENTRY_SUBJECT, (ENTRY_SUBJECT.c.log_id == ENTRY.c.log_id) & (ENTRY_SUBJECT.c.idx == ENTRY.c.idx))
        .where(ENTRY_SUBJECT.c.log_id.in_(sizes), ENTRY_SUBJECT.c.ref == ref, ENTRY.c.type == CaseOpened.type)
        .limit(1)
    )
    leaf = rows.first()
    opened = decoded(leaf) if leaf is not None else None
    return ZoneInfo(opened["data"]["time_zone"]) if opened else ZoneInfo("UTC")


async def lines_of(
    tx: Transaction, ref: str, sizes: Sizes, zone: ZoneInfo, *, after: Moment | None, limit: int
) -> tuple[list[LineView], Moment | None]:
    """At most `limit` lines behind a moment, and the last one's moment where more follow."""
    subject = ENTRY_SUBJECT.c
    order = (ENTRY.c.occurred_at, ENTRY.c.recorded_at, ENTRY.c.log_id, ENTRY.c.idx)
    within = or_(*(and_(subject.log_id == log, subject.idx < size) for log, size in sizes.items()))
    statement = (
        select(*order, ENTRY.c.leaf)
        .join(ENTRY_SUBJECT, (subject.log_id == ENTRY.c.log_id) & (subject.idx == ENTRY.c.idx))
        .where(subject.log_id.in_(sizes), subject.ref == ref, within)
        .order_by(*order)
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(tuple_(*order) > (after.at, after.recorded_at, after.log, after.index))
    rows = (await tx.session.execute(statement)).all()
    lines = [_line(row.log_id, row.idx, row.occurred_at, decoded(row.leaf) or {}, zone) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return lines, Moment(last.occurred_at, last.recorded_at, last.log_id, last.idx) if last else None


def _line(log: str, index: int, at: str, leaf: Mapping[str, Any], zone: ZoneInfo) -> LineView:
    data, actor, kind = leaf.get("data", {}), leaf.get("actor", {}), leaf.get("type", "")
    return LineView(
        at=_local(at, zone),
        zh=tell(kind, data, "zh", zone),
        en=tell(kind, data, "en", zone),
        who=_who(actor.get("kind", ""), actor.get("ref", "")),
        rules=[_rule(rule) for rule in rules_of(data)],
        type=kind,
        subjects=[subject["ref"] for subject in leaf.get("subjects", ())],
        log=log,
        index=index,
    )


def _local(at: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(at).astimezone(zone)


def _who(kind: str, ref: str) -> WhoView:
    return WhoView(kind=kind, ref=ref, zh=f"{word(kind, 'zh')} {ref}", en=f"{word(kind, 'en')} {ref}")


def _rule(rule_id: str) -> RuleView:
    says = _says().get(rule_id)
    return RuleView(id=rule_id, zh=says.zh if says else None, en=says.en if says else None)


@cache
def _says() -> dict[str, Words]:
    """What each rule of today's packs says."""
    return {rule.id: rule.says for pack in load_packs().values() for rule in pack.rules}
