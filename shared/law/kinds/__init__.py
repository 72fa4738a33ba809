"""The closed set of kinds of rules. A new law is a new file of rules; a new kind of law is one function here.

Each kind is a pure function from its parameters, the facts and the moment to an outcome. No I/O, no clock.
"""

from typing import Any

from shared.law.kinds.base import Kind, Moment, Outcome, Parameters, day_changes, needs
from shared.law.kinds.counts import Cap, CountCap, TermLimit, cap, cap_change, count_cap, term_limit
from shared.law.kinds.people import (
    CertificateNeeded,
    ForbiddenPerson,
    LocationInquiry,
    PeopleNeeded,
    Staff,
    certificate,
    forbidden_person,
    location_inquiry,
    people_needed,
    staff,
)
from shared.law.kinds.periods import Deadline, Retention
from shared.law.kinds.places import ForbiddenPlace, Position, forbidden_place, position
from shared.law.kinds.records import (
    Carried,
    ForbiddenConduct,
    ForbiddenFact,
    Hold,
    Notice,
    NoticeWithin,
    RequiredFact,
    ReviewDue,
    carried,
    forbidden_conduct,
    forbidden_fact,
    hold,
    hold_change,
    notice,
    notice_change,
    notice_within,
    notice_within_change,
    required_fact,
    review_due,
)
from shared.law.kinds.times import (
    CoolOff,
    HoursWindow,
    Moratorium,
    NoHoliday,
    cool_off,
    cool_off_change,
    hours_change,
    hours_window,
    moratorium,
    no_holiday,
)

KINDS: dict[str, Kind[Any]] = {
    "hours-window": Kind(HoursWindow, hours_window, hours_change),
    "no-holiday": Kind(NoHoliday, no_holiday, day_changes),
    "moratorium": Kind(Moratorium, moratorium, day_changes),
    "cool-off": Kind(CoolOff, cool_off, cool_off_change, needs=lambda rule: (rule.after,)),
    "cap": Kind(Cap, cap, cap_change, needs=lambda rule: (rule.counts,)),
    "count-cap": Kind(CountCap, count_cap, needs=lambda rule: (rule.fact,)),
    "term-limit": Kind(TermLimit, term_limit, needs=needs("arrangement_months")),
    "people-needed": Kind(PeopleNeeded, people_needed, needs=needs("collectors")),
    "certificate": Kind(CertificateNeeded, certificate, day_changes, needs=needs("collectors")),
    "staff": Kind(Staff, staff, day_changes, needs=needs("collectors")),
    "forbidden-person": Kind(ForbiddenPerson, forbidden_person, needs=needs("person_met")),
    "location-inquiry": Kind(LocationInquiry, location_inquiry, needs=needs("inquiry")),
    "forbidden-place": Kind(ForbiddenPlace, forbidden_place),
    "position": Kind(Position, position, needs=needs("distance_m", "accuracy_m", "clock_offset_seconds")),
    "required-fact": Kind(RequiredFact, required_fact, needs=lambda rule: rule.any_of),
    "forbidden-fact": Kind(ForbiddenFact, forbidden_fact, needs=lambda rule: (rule.fact,)),
    "forbidden-conduct": Kind(ForbiddenConduct, forbidden_conduct, needs=needs("conduct")),
    "documents-carried": Kind(Carried, carried, needs=needs("carried")),
    "notice": Kind(Notice, notice, notice_change),
    "notice-within": Kind(NoticeWithin, notice_within, notice_within_change),
    "review-due": Kind(ReviewDue, review_due, day_changes, needs=lambda rule: (rule.fact,)),
    "hold": Kind(Hold, hold, hold_change),
    "retention": Kind(Retention, None),
    "deadline": Kind(Deadline, None),
}

__all__ = ["KINDS", "Kind", "Moment", "Outcome", "Parameters"]
