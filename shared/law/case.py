"""From what is recorded about a case to the facts of one act. Each service gives its records here, so that equal
records make equal facts, and so equal verdicts, at every door. Pure: no I/O, no clock.

A case's row satisfies `Case` in each service. Times are kept with each record: an act is judged by what was in force at
its own time, however late it is reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from shared.law.facts import Facts, Grant, HoldFacts, QuietPeriod
from shared.law.terms import NoticeKind, OtherGround, PlaceType, VisitPurpose

# Of these the newest notice counts, since they announce something new each time; of the others the first one.
NEWEST_COUNTS = (NoticeKind.VISIT, NoticeKind.AGENT)


class Case(Protocol):
    """What the row of a case says. An empty text means unknown."""

    @property
    def jurisdiction(self) -> str: ...
    @property
    def country(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def time_zone(self) -> str | None: ...
    @property
    def product(self) -> str | None: ...
    @property
    def transferred(self) -> bool | None: ...
    @property
    def first_contact_at(self) -> datetime | None: ...


class Agency(Protocol):
    """What a lender has recorded about us, its agent: when our details last changed, when it last evaluated us, and
    whether we are on its list."""

    @property
    def changed_at(self) -> datetime | None: ...
    @property
    def reviewed_on(self) -> date | None: ...
    @property
    def listed(self) -> bool | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is recorded about a case besides its row. `grants`: consents and other grounds, the newest record first;
    `notices`: when each kind was sent, in any order; `agency` is None while the lender's is unknown; `unsafe_since`:
    when a visit was broken off as unsafe."""

    holds: Iterable[HoldFacts] = ()
    grants: Iterable[Grant] = ()
    quiet_periods: Iterable[QuietPeriod] = ()
    notices: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    denied_places: Iterable[str] = ()
    employer_forbids: bool = False
    agency: Agency | None = None
    address_verified: bool | None = None
    hazard: bool | None = None
    unsafe_since: datetime | None = None
    contact_visits: Sequence[datetime] = ()
    other_cases_visits: Sequence[datetime] = ()
    last_visit_at: datetime | None = None
    asked_to_leave: Sequence[datetime] = ()


NOTHING = Recorded()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done, and when: `ends_at` where the end is known."""

    at: datetime
    ends_at: datetime | None = None
    purpose: VisitPurpose = VisitPurpose.DEMAND
    place_type: PlaceType = PlaceType.HOME
    third_party_data: bool | None = None


def facts_of_case(case: Case, recorded: Recorded, act: Act) -> Facts:
    """The facts of an act about a case. The caller adds what only its step knows: the team, a check-in, the calls."""
    agency = recorded.agency
    return Facts(
        jurisdiction=case.jurisdiction,
        at=act.at,
        ends_at=act.ends_at,
        country=case.country or None,
        region=case.region,
        time_zone=case.time_zone or None,
        product=case.product or None,
        place_type=act.place_type,
        denied_places=frozenset(map(PlaceType, recorded.denied_places)),
        employer_forbids=recorded.employer_forbids,
        purpose=act.purpose,
        third_party_data=act.third_party_data,
        address_verified=recorded.address_verified,
        hazard=True if _is_unsafe(recorded, act.at) else recorded.hazard,
        holds=tuple(_holds(recorded.holds, act.at)),
        quiet_periods=tuple(recorded.quiet_periods),
        contact_visits=tuple(recorded.contact_visits),
        other_cases_visits=tuple(recorded.other_cases_visits),
        first_contact_at=_first_contact(case, recorded),
        notices=_notices(recorded, act.at),
        agent_changed_at=agency.changed_at if agency else None,
        transferred=case.transferred,
        grants=tuple(_grants(recorded, act.at)),
        asked_to_leave=tuple(recorded.asked_to_leave),
        agency_reviewed_on=agency.reviewed_on if agency else None,
        agency_listed=agency.listed if agency else None,
    )


def _holds(recorded: Iterable[HoldFacts], at: datetime) -> Iterable[HoldFacts]:
    """The holds in force at a time, and those that begin later with their times: one that begins during an act stops
    it."""
    for hold in recorded:
        if hold.until is not None and hold.until <= at:
            continue
        begun = hold.since is None or hold.since <= at
        yield HoldFacts(reason=hold.reason, scope=hold.scope) if begun else hold


def _is_unsafe(recorded: Recorded, at: datetime) -> bool:
    """Whether it was known by then that a visit was broken off as unsafe."""
    return recorded.unsafe_since is not None and recorded.unsafe_since <= at


def _grants(recorded: Recorded, at: datetime) -> Iterable[Grant]:
    """The grants that have not ended. A safety plan that is older than an unsafe visit counts no more."""
    unsafe_since = recorded.unsafe_since if _is_unsafe(recorded, at) else None
    for grant in recorded.grants:
        plans = grant.scope == OtherGround.SAFETY_PLAN
        outdated = plans and unsafe_since is not None and grant.since is not None and grant.since < unsafe_since
        if not outdated and (grant.until is None or at < grant.until):
            yield grant


def _first_contact(case: Case, recorded: Recorded) -> datetime | None:
    """The first contact in any way. A visit counts before the case's row knows of it."""
    known = [case.first_contact_at] if case.first_contact_at else []
    return min([*recorded.contact_visits, *known], default=None)


def _notices(recorded: Recorded, at: datetime) -> dict[NoticeKind, datetime]:
    """The notice of each kind that counts at a time. A notice of a visit that was made does not announce the next
    visit. A kind that no law knows is no fact."""
    found: dict[NoticeKind, datetime] = {}
    for name, sent in recorded.notices.items():
        if name not in set(NoticeKind):
            continue
        kind, times = NoticeKind(name), sorted(sent)
        visited = recorded.last_visit_at
        if kind is NoticeKind.VISIT and visited is not None and visited <= at:
            times = [time for time in times if time > visited]
        if not times:
            continue
        by_then = [time for time in times if time <= at]
        found[kind] = by_then[-1] if kind in NEWEST_COUNTS and by_then else times[0]
    return found


def completed(stated: Facts) -> Facts:
    """Facts that a file states, with what follows from them for every recorded case: a visit with contact is a first
    contact, a hold that has ended is none."""
    recorded = Recorded(
        holds=stated.holds,
        grants=stated.grants,
        notices={kind: [sent] for kind, sent in stated.notices.items()},
        contact_visits=stated.contact_visits,
    )
    built = facts_of_case(stated, recorded, Act(at=stated.at))
    derived = ("country", "time_zone", "product", "holds", "grants", "notices", "first_contact_at")
    return stated.model_copy(update={name: getattr(built, name) for name in derived})
