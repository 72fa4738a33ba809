"""When a team may read whom it visits. One rule for the dossier, the sheet and other pages: on the day of the visit and
on the evening before, unless a hold stops the visit. Personal data are read for a purpose, as long as it lasts.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.law.facts import Facts
from shared.law.gate import evaluate
from shared.law.packs import RulePack
from shared.law.terms import Step, Verdict

EVENING_BEFORE = time(17)
"""From this time on the day before, by the debtor's clock: a team prepares its route when its own day's visits are
nearly done. Before that, the plan may still change, and no names are needed."""
HOLD = "hold"


def is_field_day(day: date, now: datetime, time_zone: str) -> bool:
    """Whether it is the day of a visit, or the evening before, by the debtor's clock."""
    local = now.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    begins = datetime.combine(day - timedelta(days=1), EVENING_BEFORE)
    return begins <= local < datetime.combine(day + timedelta(days=1), time())


def is_stopped_by_a_hold(packs: tuple[RulePack, ...], facts: Facts) -> bool:
    """Whether a hold stops the visit now, by the rules about holds that judge a dispatch, for the visit's purpose."""
    judged = {rule.id for pack in packs for rule in pack.judged_at(Step.DISPATCH) if rule.kind == HOLD}
    findings = evaluate(packs, Step.DISPATCH, facts).findings
    return any(finding.rule_id in judged and finding.verdict is Verdict.BLOCK for finding in findings)


def is_open_to_the_team(day: date, packs: tuple[RulePack, ...], facts: Facts) -> bool:
    """Whether the team of an open visit of this day may read who is visited. `facts` are those of now: time, zone,
    holds, and the grounds that lift them."""
    zone = facts.time_zone or "UTC"
    return is_field_day(day, facts.at, zone) and not is_stopped_by_a_hold(packs, facts)
