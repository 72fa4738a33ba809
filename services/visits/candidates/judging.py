"""Who may be visited on a day, when, and by whom: the law's windows ∩ what the debtor agreed to, for teams that the
law lets go there. A case that cannot be visited has a reason, and where a rule forbids it, the decision.

Pure and bound by CPU: it runs in a thread. A plan never holds a visit that the gate would block for what is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.gate.facts import with_team
from services.visits.routing.reasons import Reason
from services.visits.settings import VisitsSettings
from shared.law import Agency, CollectorFacts, Decision, Facts, Law, RulePack, Step, Verdict, evaluate, screen

Window = tuple[datetime, datetime]

REASON_BY_RULE = {
    "house-hold": Reason.HELD,
    "house-address": Reason.ADDRESS_UNVERIFIED,
    "house-hazard": Reason.HAZARD,
}
KINDS_ABOUT_PEOPLE = ("certificate", "people-needed", "staff")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A case on a day: its windows [start, end) and the teams that may go, or why not."""

    row: CaseloadRow
    windows: tuple[Window, ...] = ()
    team_ids: frozenset[UUID] = frozenset()
    reason: Reason | None = None
    rule_id: str | None = None
    decision: Decision | None = None


class DayJudge:
    """Judges cases for one day, by what is known now. Teams are judged once for all cases of a kind (place of law and
    product)."""

    def __init__(
        self,
        law: Law,
        day: date,
        teams: Mapping[UUID, tuple[CollectorFacts, ...]],
        settings: VisitsSettings,
        now: datetime,
        agencies: Mapping[str | None, Agency],
    ) -> None:
        self._law = law
        self._day = day
        self._teams = teams
        self._settings = settings
        self._now = now
        self._agencies = agencies
        self._able: dict[tuple[str | None, ...], frozenset[UUID]] = {}

    def judge_all(self, rows: Sequence[CaseloadRow]) -> list[Judgement]:
        return [self.judge(row) for row in rows]

    def judge(self, row: CaseloadRow) -> Judgement:
        facts = facts_of(row, self._moment(ZoneInfo(row.time_zone)), self._agencies.get(row.lender_id))
        packs = self._law.packs_on(facts, self._day)
        lawful = screen(packs, facts, self._day)
        if not lawful.windows:
            return _blocked(row, evaluate(packs, Step.PLAN, facts))
        able = self._able_teams(row, facts, packs)
        if not able:
            return Judgement(row, reason=Reason.NO_TEAM)
        sent = with_team(facts, self._teams[min(able)], self._settings)
        may_go = screen(packs, sent, self._day, Step.DISPATCH)
        if not may_go.windows:
            return _blocked(row, evaluate(packs, Step.DISPATCH, sent))
        windows = _both(_both(lawful.windows, may_go.windows), _agreed(row, self._day))
        if not windows:
            return Judgement(row, reason=Reason.NO_WINDOW, rule_id=lawful.rule_id or may_go.rule_id)
        return Judgement(row, windows, able)

    def _moment(self, zone: ZoneInfo) -> datetime:
        """Noon; later on the day itself, so that what became known since is seen."""
        noon, now = datetime.combine(self._day, time(12), zone), self._now.astimezone(zone)
        return max(noon, now) if now.date() == self._day else noon

    def _able_teams(self, row: CaseloadRow, facts: Facts, packs: tuple[RulePack, ...]) -> frozenset[UUID]:
        """Teams that no rule about people keeps from going."""
        kind = (row.jurisdiction, row.country, row.region, row.product)
        if kind not in self._able:
            self._able[kind] = frozenset(
                team_id
                for team_id, team in self._teams.items()
                if not _stopped_for_people(packs, with_team(facts, team, self._settings))
            )
        return self._able[kind]


def _stopped_for_people(packs: tuple[RulePack, ...], sent: Facts) -> bool:
    """Whether a rule about people keeps this team from going, whoever the debtor is."""
    about_people = {
        rule.id for pack in packs for rule in pack.judged_at(Step.DISPATCH) if rule.kind in KINDS_ABOUT_PEOPLE
    }
    findings = evaluate(packs, Step.DISPATCH, sent).findings
    return any(finding.verdict is Verdict.BLOCK and finding.rule_id in about_people for finding in findings)


def _blocked(row: CaseloadRow, decision: Decision) -> Judgement:
    """A case that the law forbids all day: the reason, and the rule that decided."""
    deciding = decision.deciding
    rule_id = deciding[0].rule_id if decision.verdict is Verdict.BLOCK else None
    reason = REASON_BY_RULE.get(rule_id or "", Reason.RULE if rule_id else Reason.NO_WINDOW)
    return Judgement(row, reason=reason, rule_id=rule_id, decision=decision if rule_id else None)


def _both(some: Sequence[Window], others: Sequence[Window]) -> tuple[Window, ...]:
    """Where two lists of windows overlap."""
    overlaps = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return tuple(sorted((start, end) for start, end in overlaps if start < end))


def _agreed(row: CaseloadRow, day: date) -> tuple[Window, ...]:
    """When it suits the debtor on that day; the whole day where nothing was said."""
    zone, wishes = ZoneInfo(row.time_zone), row.preference.get("windows") or []
    if not wishes:
        return ((datetime.combine(day, time(0), zone), datetime.combine(day + timedelta(days=1), time(0), zone)),)
    return tuple(
        (_on(day, wish["opens_at"], zone), _on(day, wish["closes_at"], zone))
        for wish in wishes
        if wish["weekday"] == day.isoweekday()
    )


def _on(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone)


def start_windows(judgement: Judgement, seconds: int, origin: datetime) -> tuple[tuple[int, int], ...]:
    """When a visit of so many seconds may begin, so that it ends within the window: seconds since the origin."""
    found = []
    for opens, closes in judgement.windows:
        first = int((opens - origin).total_seconds())
        last = int((closes - origin).total_seconds()) - seconds
        if first <= last:
            found.append((first, last))
    return tuple(found)
