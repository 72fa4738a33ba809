"""The gate: facts in, a decision out. No I/O and no clock: the same facts and packs give the same decision for ever.

The strictest finding is the verdict. A missing fact blocks where the rule would; a rule that could not be verified
makes a warning and never more; an override counts only if the rule itself names it, and its evidence is part of the
decision. At completion nothing blocks: what happened is recorded as it happened, and what was wrong is an incident.
"""

from datetime import date

from shared.law import calendar
from shared.law.decision import Decision, Finding
from shared.law.facts import Facts
from shared.law.kinds import Moment, Outcome
from shared.law.kinds.records import RequiredFact
from shared.law.names import GROUNDS, Name
from shared.law.packs import RulePack
from shared.law.places import moment_of, resolved_by
from shared.law.rules import Rule
from shared.law.terms import Step, Verdict

HOUSE = "house"


def evaluate(packs: tuple[RulePack, ...], step: Step, facts: Facts) -> Decision:
    """Judge an act by every rule of the packs that is in force and judged at this step."""
    findings = [] if any(pack.id != HOUSE for pack in packs) else [_no_law(facts)]
    zone_name = None
    try:
        moment = moment_of(facts, step)
        zone_name, facts = moment.time_zone, resolved_by(facts, moment)
        findings += _findings(packs, facts, moment)
        findings += [_days_off_unknown(facts, moment)] if _asks_for_holidays(packs, moment) else []
    except calendar.UnknownPlace as unknown:
        findings.append(_no_zone(unknown, step))
    found = {finding.verdict for finding in findings}
    verdict = next((each for each in (Verdict.BLOCK, Verdict.WARN) if each in found), Verdict.PASS)
    named = tuple((pack.id, pack.version, pack.digest) for pack in packs)
    return Decision(step, facts, zone_name, named, verdict, tuple(findings))


def _findings(packs: tuple[RulePack, ...], facts: Facts, moment: Moment) -> list[Finding]:
    found = []
    for pack, rules in rules_at(packs, moment.step, moment.day):
        judged = {rule.id: (rule, judge(rule, facts, moment)) for rule in rules}
        met = {rule_id for rule_id, (_, outcome) in judged.items() if outcome.satisfied}
        found += [_finding(pack, rule, outcome, facts, moment, met) for rule, outcome in judged.values()]
    return found


def rules_at(packs: tuple[RulePack, ...], step: Step, day: date) -> list[tuple[RulePack, list[Rule]]]:
    """The rules of each pack that are judged at this step and in force on this day. A floor is left out where another
    pack blocks by a rule of the same kind."""
    in_force = [(pack, [rule for rule in pack.judged_at(step) if rule.in_force(day)]) for pack in packs]
    floors = {rule.id for _, rules in in_force for rule in rules if rule.is_floor}
    if not floors:
        return in_force
    own = {rule.kind for _, rules in in_force for rule in rules if rule.blocks and not rule.is_floor}
    return [(pack, [rule for rule in rules if not (rule.is_floor and rule.kind in own)]) for pack, rules in in_force]


def judge(rule: Rule, facts: Facts, moment: Moment) -> Outcome:
    how = rule.how.judge
    return how(rule.parameters, facts, moment) if how else Outcome(True)


def lifted_by(rule: Rule, facts: Facts, moment: Moment, met: set[str]) -> str | None:
    """What lifts a rule: the evidence of the ground that it names, or the rule that it names, where that is met. The
    ground holds at the start and at the end of the act."""
    if rule.override is None:
        return None
    if rule.override in met:
        return rule.override
    return facts.evidence_for(rule.override, moment.local, moment.end)


def _finding(pack: RulePack, rule: Rule, outcome: Outcome, facts: Facts, moment: Moment, met: set[str]) -> Finding:
    passed = outcome.satisfied is True
    lifted = None if passed else lifted_by(rule, facts, moment, met)
    stands, done = not passed and lifted is None, moment.step is Step.COMPLETION
    wrong = stands and done and not rule.only_warns
    incomplete = wrong and (outcome.satisfied is None or rule.effect == "record-incomplete")
    verdict = Verdict.PASS
    if stands:
        verdict = Verdict.BLOCK if rule.blocks and not done else Verdict.WARN
    out_en, out_zh = _way_out(rule, outcome) if verdict is Verdict.BLOCK else ("", "")
    return Finding(
        rule_id=rule.id,
        pack=pack.id,
        verdict=verdict,
        reason_en=outcome.en if passed else f"{rule.says.en} {outcome.en}{out_en}",
        reason_zh=outcome.zh if passed else f"{rule.says.zh}{outcome.zh}{out_zh}",
        inputs=outcome.inputs,
        source=rule.source,
        authority=rule.authority,
        verified=rule.verified,
        override=rule.override,
        overridden_by=lifted,
        missing=outcome.missing or (_proof(rule) if incomplete else ()),
        record_incomplete=incomplete,
        incident=wrong and not incomplete and rule.effect in ("block", "incident"),
    )


def _way_out(rule: Rule, outcome: Outcome) -> Name:
    """How a block can end, where the rule or its missing facts tell: clauses that close its sentences."""
    en, zh = (" Record it first.", "請先登錄。") if outcome.missing else ("", "")
    if rule.override in GROUNDS:
        ground_en, ground_zh = GROUNDS[rule.override]
        return f"{en} Lifted by: {ground_en}.", f"{zh}解除方式：{ground_zh}。"
    if rule.override:
        return f"{en} Lifted where the rule {rule.override} is met.", f"{zh}解除方式：符合規則 {rule.override}。"
    return en, zh


def _proof(rule: Rule) -> tuple[str, ...]:
    """The proof that should have been made."""
    return rule.parameters.any_of if isinstance(rule.parameters, RequiredFact) else ()


def _asks_for_holidays(packs: tuple[RulePack, ...], moment: Moment) -> bool:
    """Whether a rule asks for holidays of a year whose days off are not known."""
    if not moment.days_off_unknown:
        return False
    rules = (rule for _, of_pack in rules_at(packs, moment.step, moment.day) for rule in of_pack)
    return any(rule.kind == "no-holiday" for rule in rules)


def _days_off_unknown(facts: Facts, moment: Moment) -> Finding:
    """The government has not announced the year's days off, or the calendar does not know them: everybody is warned."""
    years = sorted({moment.day.year, moment.last_day.year})
    when = f"{' / '.join(map(str, years))} in {facts.country}"
    return Finding(
        rule_id="house-days-off-unknown",
        pack=HOUSE,
        verdict=Verdict.WARN,
        reason_en=f"The days off and make-up working days of {when} are not known: a holiday may be missing.",
        reason_zh=f"{facts.country} {'、'.join(map(str, years))} 年之放假及補班日尚不明，假日可能有缺漏。",
        inputs={"country": facts.country, "years": years},
        source="House rules",
        authority="policy",
        verified="primary",
    )


def _no_law(facts: Facts) -> Finding:
    """A country without a pack: the house rules alone, and everybody is told."""
    return Finding(
        rule_id="house-no-law",
        pack=HOUSE,
        verdict=Verdict.WARN,
        reason_en=f"No law is encoded for {facts.jurisdiction!r}: only the house rules were applied.",
        reason_zh=f"尚未收錄「{facts.jurisdiction}」之法規：僅適用內部規範。",
        inputs={"jurisdiction": facts.jurisdiction},
        source="House rules",
        authority="policy",
        verified="primary",
    )


def _no_zone(why: calendar.UnknownPlace, step: Step) -> Finding:
    """Without a zone no hour can be judged: nothing goes on until the place is known."""
    return Finding(
        rule_id="house-place",
        pack=HOUSE,
        verdict=Verdict.WARN if step is Step.COMPLETION else Verdict.BLOCK,
        reason_en=f"The debtor's local time cannot be told: {why}.",
        reason_zh=f"無法判定債務人當地時間：{why.zh}。",
        inputs={},
        source="House rules",
        authority="policy",
        verified="primary",
        missing=("time_zone",),
        record_incomplete=step is Step.COMPLETION,
    )
