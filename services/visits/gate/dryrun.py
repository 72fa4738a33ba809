"""What the gate would say: dry runs and lawful windows, for one case or 200. Nothing is stored; what takes CPU leaves
the event loop."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.visits.base import LAWBOOK
from services.visits.caseload import usecases as caseload
from services.visits.caseload.facts import facts_of
from services.visits.caseload.tables import CaseloadRow
from services.visits.gate.facts import with_team
from services.visits.gate.schemas import (
    Because,
    CaseWindowsView,
    GateCheckBody,
    GateCheckView,
    LawfulWindow,
    LawfulWindowsBody,
)
from services.visits.people import teams
from services.visits.settings import VisitsSettings
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.law import CollectorFacts, Earliest, Facts, Law, Step, earliest_lawful, evaluate, screen

# visits knows no calls, letters and files of lenders: another service answers for these steps.
JUDGED_BY_CASES = {
    Step.CALL: "/cases/v1/contact-checks",
    Step.LETTER: "/cases/v1/contact-checks",
    Step.INTAKE: "/cases/v1/placements",
}


async def check(tx: Transaction, body: GateCheckBody, settings: VisitsSettings) -> list[GateCheckView]:
    """A decision for each case, as it would be taken at a time. Raises NotFound for a case or team unknown here, and
    Invalid for a step that the service cases judges."""
    if body.step in JUDGED_BY_CASES:
        door = JUDGED_BY_CASES[body.step]
        raise Invalid("judged-by-cases", f"`step`: cases judges {body.step}: ask POST {door}.", ask=door)
    rows = await _known(tx, body.case_ids)
    at = body.at or tx.now
    days = {row.id: at.astimezone(ZoneInfo(row.time_zone or "UTC")).date() for row in rows}
    team = {day: await _team_on(tx, body.team_id, day, at) for day in set(days.values())}
    agencies = await caseload.agencies_of(tx, rows)
    known = [(row, facts_of(row, at, agencies.get(row.lender_id))) for row in rows]
    acts = [with_team(facts, team[days[row.id]], settings) for row, facts in known]
    law = await LAWBOOK.law(tx)
    return await asyncio.to_thread(judge_acts, law, body.step, list(zip(body.case_ids, acts, strict=True)))


async def _team_on(tx: Transaction, team_id: UUID | None, day: date, at: datetime) -> tuple[CollectorFacts, ...] | None:
    """The team's members on the local day of the act, as they are now. Raises NotFound."""
    if team_id is None:
        return None
    members = (await teams.members_on(tx, [team_id], day)).get(team_id)
    if members is None:
        raise NotFound("team-not-found", "There is no such team here.")
    return await teams.collector_facts(tx, members, max(at, tx.now))


def judge_acts(law: Law, step: Step, acts: Sequence[tuple[UUID, Facts]]) -> list[GateCheckView]:
    """The decision on each act at a step, and when that step is lawful at the earliest. Pure, and takes CPU."""
    views = []
    for case_id, facts in acts:
        decision = evaluate(law.packs_of(facts), step, facts)
        earliest = earliest_lawful(law, facts, after=facts.at, step=step)
        views.append(
            GateCheckView(
                case_id=case_id,
                decision=decision.to_json(),
                remedies=decision.remedies,
                earliest_lawful_at=earliest.at,
                because=_because(earliest),
            )
        )
    return views


def _because(earliest: Earliest) -> Because | None:
    """The rule that stands in the way of an earlier time, in the words of a moment at which it does."""
    then = earliest.decision
    for finding in then.findings if then else ():
        if then and finding.rule_id == earliest.rule_id:
            words = {"en": finding.reason_en, "zh": finding.reason_zh}
            return Because(rule_id=finding.rule_id, at=then.at, reason=words)
    return None


async def windows(tx: Transaction, body: LawfulWindowsBody) -> list[CaseWindowsView]:
    """The lawful windows of a local day, for each case."""
    rows = await _known(tx, body.case_ids)
    law = await LAWBOOK.law(tx)
    agencies = await caseload.agencies_of(tx, rows)
    acts = [(row.id, facts_of(row, tx.now, agencies.get(row.lender_id))) for row in rows]

    def screened() -> list[CaseWindowsView]:
        found = []
        for case_id, facts in acts:
            day = screen(law.packs_on(facts, body.day), facts, body.day)
            open_times = [LawfulWindow(start=start, end=end) for start, end in day.windows]
            found.append(CaseWindowsView(case_id=case_id, windows=open_times, rule_id=day.rule_id))
        return found

    return await asyncio.to_thread(screened)


async def _known(tx: Transaction, case_ids: Sequence[UUID]) -> list[CaseloadRow]:
    rows = await caseload.find_all(tx, case_ids)
    for case_id in case_ids:
        if case_id not in rows:
            raise NotFound("case-not-found", "There is no such case here.", case_id=str(case_id))
        if not rows[case_id].opened:
            raise Conflict(
                "case-not-opened",
                "The events of this case have not arrived yet: ask again in a moment.",
                case_id=str(case_id),
            )
    return [rows[case_id] for case_id in case_ids]
