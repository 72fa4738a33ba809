"""Kinds about what is on record: facts that must or must not be, notices, papers, reviews, conduct, and holds."""

from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import Field, model_validator

from shared.law.dates import months_after
from shared.law.facts import Facts, HoldFacts
from shared.law.kinds.base import (
    Change,
    Days,
    Moment,
    Months,
    Outcome,
    Parameters,
    at_start_or_end,
    missing,
    not_applicable,
)
from shared.law.kinds.conditions import Conditional, set_aside
from shared.law.names import CONDUCT, DOCUMENTS, FOUND, HOLDS, NOTICES, SHOWN, listed
from shared.law.terms import Conduct, Document, HoldReason, HoldScope, NoticeKind, Step, VisitPurpose

Required = Literal[
    "credentials_shown", "authority_shown", "recordings", "address_verified", "agency_listed", "willing_now", "left_at",
    "consent:ENTRY", "consent:COURT_ORDER", "consent:DEBTOR_REQUEST",
]  # fmt: skip
Forbidden = Literal["third_party_data", "hazard", "fees_taken"]


class RequiredFact(Conditional):
    """One of these facts must be true (a number: at least 1; `consent:…`: on record)."""

    any_of: tuple[Required, ...] = Field(min_length=1)


def required_fact(parameters: RequiredFact, facts: Facts, moment: Moment) -> Outcome:
    aside = set_aside(parameters, facts)
    if aside:
        return aside
    found: dict[str, Any] = {name: _told(facts, name, moment) for name in parameters.any_of}
    if any(found.values()):
        return Outcome(True, found, "It is on record.", "已有紀錄。")
    unknown = tuple(name for name, value in found.items() if value is None)
    if unknown:
        return missing(*unknown)
    en = ", or that ".join(SHOWN[name][0] for name in found)
    zh = "、或".join(SHOWN[name][1] for name in found)
    return Outcome(False, found, f"It is not on record that {en}.", f"紀錄未見：{zh}。")


def _told(facts: Facts, name: str, moment: Moment) -> Any:
    _, consent, scope = name.rpartition("consent:")
    if consent:
        return facts.evidence_for(scope, moment.local, moment.end) is not None
    value = getattr(facts, name)
    return value.isoformat() if isinstance(value, datetime) else value


class ForbiddenFact(Parameters):
    """A fact that must not be true."""

    fact: Forbidden


def forbidden_fact(parameters: ForbiddenFact, facts: Facts, moment: Moment) -> Outcome:
    value: bool | None = getattr(facts, parameters.fact)
    if value is None:
        return missing(parameters.fact)
    if value:
        en, zh = FOUND[parameters.fact]
        return Outcome(False, {parameters.fact: True}, f"Forbidden, and so it is: {en}.", f"禁止事項：{zh}。")
    return Outcome(True, {parameters.fact: False}, "Nothing forbidden was found.", "未發現禁止事項。")


class ForbiddenConduct(Parameters):
    """What must not happen. Whoever reports it reports an incident."""

    conduct: tuple[Conduct, ...] = Field(min_length=1)


def forbidden_conduct(parameters: ForbiddenConduct, facts: Facts, moment: Moment) -> Outcome:
    reported = sorted(facts.conduct.intersection(parameters.conduct))
    if reported:
        en, zh = listed(CONDUCT[each] for each in reported)
        return Outcome(False, {"conduct": reported}, f"Reported: {en}.", f"據報有：{zh}。")
    return Outcome(True, {"conduct": []}, "Nothing of the kind was reported.", "未據報有此情事。")


class Carried(Parameters):
    """Papers that collectors carry."""

    documents: tuple[Document, ...] = Field(min_length=1)


def carried(parameters: Carried, facts: Facts, moment: Moment) -> Outcome:
    if facts.carried is None:
        return missing("carried")
    lacking = sorted(set(parameters.documents) - facts.carried)
    if lacking:
        en, zh = listed(DOCUMENTS[each] for each in lacking)
        return Outcome(False, {"lacking": lacking}, f"Not carried: {en}.", f"未攜帶：{zh}。")
    return Outcome(True, {"carried": sorted(facts.carried)}, "All papers are carried.", "文件齊備。")


class Notice(Conditional):
    """A notice must have gone out before the act; after the agent's details changed, once more."""

    notice: NoticeKind
    again_after: Literal["agent_changed_at"] | None = None

    @model_validator(mode="after")
    def _can_be_satisfied(self) -> "Notice":
        if self.notice is NoticeKind.VISIT and "unannounced" in self.only_if:
            raise ValueError(
                "it asks for the notice VISIT only where there is none, so that it could never be satisfied"
            )
        return self


def notice(parameters: Notice, facts: Facts, moment: Moment) -> Outcome:
    aside = set_aside(parameters, facts)
    if aside:
        return aside
    kind = parameters.notice
    sent = facts.notices.get(kind)
    if sent is None:
        return missing(f"notices.{kind}")
    inputs: dict[str, Any] = {f"notices.{kind}": sent.isoformat()}
    changed = facts.agent_changed_at if parameters.again_after else None
    if changed is not None and sent < changed <= moment.local:
        inputs["agent_changed_at"] = changed.isoformat()
        return Outcome(False, inputs, "The details have changed since the notice.", "通知後資料已有變更。")
    en, zh = NOTICES[kind]
    local = f"{sent.astimezone(moment.local.tzinfo):%Y-%m-%d %H:%M}"
    return Outcome(sent <= moment.local, inputs, f"Sent at {local}: {en}.", f"{zh}寄發於 {local}。")


def notice_change(parameters: Notice, facts: Facts) -> list[Change]:
    sent = facts.notices.get(parameters.notice)
    return [each for each in (sent, facts.agent_changed_at) if each is not None]


class NoticeWithin(Parameters):
    """A notice goes out within so many days of the first contact; after that nothing is done until it has."""

    notice: NoticeKind
    days: Days


def notice_within(parameters: NoticeWithin, facts: Facts, moment: Moment) -> Outcome:
    first, sent = facts.first_contact_at, facts.notices.get(parameters.notice)
    if first is None or first > moment.local:
        return not_applicable({"first_contact_at": None})
    inputs = {"first_contact_at": first.isoformat(), "notice": sent.isoformat() if sent else None}
    if sent is not None and sent <= moment.local:
        return Outcome(True, inputs, "The notice has been sent.", "通知已寄發。")
    due = first.astimezone(moment.local.tzinfo).date() + timedelta(days=parameters.days)
    en, zh = NOTICES[parameters.notice]
    return Outcome(moment.day <= due, inputs, f"Unsent, and due by {due}: {en}.", f"{zh}尚未寄發；期限為 {due}。")


def notice_within_change(parameters: NoticeWithin, facts: Facts) -> list[Change]:
    sent = facts.notices.get(parameters.notice)
    return [each for each in (sent, facts.first_contact_at) if each is not None]


class ReviewDue(Parameters):
    """Something was reviewed at most so many months ago."""

    fact: Literal["agency_reviewed_on"]
    within_months: Months


def review_due(parameters: ReviewDue, facts: Facts, moment: Moment) -> Outcome:
    on: date | None = getattr(facts, parameters.fact)
    if on is None:
        return missing(parameters.fact)
    due = months_after(on, parameters.within_months)
    return Outcome(
        on <= moment.day and moment.last_day <= due,
        {parameters.fact: str(on), "within_months": parameters.within_months},
        f"Last reviewed on {on}; the next review is due by {due}.",
        f"上次檢視於 {on}；下次應於 {due} 前為之。",
    )


# A letter is neither a visit nor a call: only a hold of all contact stops it.
SCOPES = {Step.CALL: HoldScope.CALL, Step.LETTER: HoldScope.ALL}


class Hold(Parameters):
    """Holds stop contact, but for the purposes that a reason lets through.

    A rule that names reasons stops by them whatever their scope; one that names none stops by every hold in scope.
    """

    reasons: tuple[HoldReason, ...] = ()
    lets_through: dict[HoldReason, tuple[VisitPurpose, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lets_its_own_reasons_through(self) -> "Hold":
        strange = set(self.lets_through) - set(self.reasons) if self.reasons else set()
        if strange:
            raise ValueError(f"lets_through names {sorted(strange)[0]}, which is none of the reasons")
        return self


def hold(parameters: Hold, facts: Facts, moment: Moment) -> Outcome:
    scopes = (HoldScope.ALL, SCOPES.get(moment.step, HoldScope.VISIT))
    running = [held for held in facts.holds if _runs(held, moment)]
    for held in running:
        in_scope = held.reason in parameters.reasons if parameters.reasons else held.scope in scopes
        if in_scope and facts.purpose not in parameters.lets_through.get(held.reason, ()):
            en, zh = HOLDS[held.reason]
            return Outcome(
                False,
                {"reason": held.reason, "scope": held.scope, "purpose": facts.purpose},
                f"Contact is on hold until that is released: {en}.",
                f"案件暫停接觸，解除前不得接觸：{zh}。",
            )
    return Outcome(True, {"holds": len(running)}, "No hold stops this.", "無暫停事由。")


def _runs(held: HoldFacts, moment: Moment) -> bool:
    """Whether a hold is in force at some time of the act."""
    begun = held.since is None or held.since <= moment.end
    return begun and (held.until is None or moment.local < held.until)


def hold_change(parameters: Hold, facts: Facts) -> list[Change]:
    borders = [each for held in facts.holds for each in (held.since, held.until) if each is not None]
    return [change for border in borders for change in at_start_or_end(border, facts)]
