"""The law, as data and as pure functions: rule packs, and the gate that judges an act by them.

The law is a value. `shipped()` is the law as the project ships it; `law.with_version(read_pack(name, content), day)` is
the same with one more version, in force from a local day on; `law.packs_of(facts)` (or `packs_for(place, day)`) are the
packs by which an act is judged, and `law.exactly(decision["packs"])` those that a stored decision names.

`evaluate(packs, step, facts)` decides. Store `decision.facts.to_json()` beside `decision.to_json()`: it holds zone,
offset, holiday and versions of data as they were resolved, so that
`evaluate(law.exactly(packs), step, Facts.from_json(stored))` gives the same again. `earliest_lawful(law, facts,
after=…)` tells the first lawful moment and the rule that makes it so; `lawful_windows` and `screen` those of a day;
`difference(old, new)` what a version changes, in words; `deadline_for`, `retention_for`, `retention_of` read periods.
`LegalDay` and `LegalMoment` are the days and moments of stored facts: nothing that follows leaves the calendar.
`StatedDay` and `StatedMoment` are those that a request states. `laws_of(country, region)` names the laws of a place.
`facts_of_case(case, recorded, act)` makes the facts of an act from what is recorded about a case.
"""

from shared.law.calendar import UnknownPlace, add_business_days, is_business_day, zone_of
from shared.law.case import Act, Agency, Case, Recorded, completed, facts_of_case
from shared.law.dates import LegalDay, LegalMoment, StatedDay, StatedMoment, is_mistyped
from shared.law.decision import VERDICT_WORDS, Decision, Finding
from shared.law.differences import difference
from shared.law.facts import Certificate, CollectorFacts, Facts, Grant, HoldFacts, Inquiry, QuietPeriod
from shared.law.field_day import EVENING_BEFORE, is_field_day, is_open_to_the_team, is_stopped_by_a_hold
from shared.law.gate import evaluate
from shared.law.jurisdictions import COUNTRIES, laws_named, laws_of, may_be_law_of, region_named
from shared.law.packs import PACK_ID, PackInvalid, RulePack, load_packs, read_pack
from shared.law.periods import (
    HOUSE_CLASS,
    Due,
    NoSuchPeriod,
    RetentionPeriod,
    deadline_for,
    retention_for,
    retention_of,
)
from shared.law.places import local_day
from shared.law.register import SINCE_EVER, Law, OutOfPlace, UnknownVersion, Version, shipped
from shared.law.rules import RULE_ID, Rule
from shared.law.terms import (
    Conduct,
    ConsentScope,
    Disposition,
    DispositionGroup,
    Document,
    HoldReason,
    HoldScope,
    NoticeKind,
    OtherGround,
    PersonMet,
    PlaceType,
    QuietReason,
    Step,
    Verdict,
    VisitPurpose,
)
from shared.law.windows import Earliest, Screening, earliest_lawful, lawful_windows, screen

__all__ = [
    "COUNTRIES",
    "EVENING_BEFORE",
    "HOUSE_CLASS",
    "PACK_ID",
    "RULE_ID",
    "SINCE_EVER",
    "VERDICT_WORDS",
    "Act",
    "Agency",
    "Case",
    "Certificate",
    "CollectorFacts",
    "Conduct",
    "ConsentScope",
    "Decision",
    "Disposition",
    "DispositionGroup",
    "Document",
    "Due",
    "Earliest",
    "Facts",
    "Finding",
    "Grant",
    "HoldFacts",
    "HoldReason",
    "HoldScope",
    "Inquiry",
    "Law",
    "LegalDay",
    "LegalMoment",
    "NoSuchPeriod",
    "NoticeKind",
    "OtherGround",
    "OutOfPlace",
    "PackInvalid",
    "PersonMet",
    "PlaceType",
    "QuietPeriod",
    "QuietReason",
    "Recorded",
    "RetentionPeriod",
    "Rule",
    "RulePack",
    "Screening",
    "StatedDay",
    "StatedMoment",
    "Step",
    "UnknownPlace",
    "UnknownVersion",
    "Verdict",
    "Version",
    "VisitPurpose",
    "add_business_days",
    "completed",
    "deadline_for",
    "difference",
    "earliest_lawful",
    "evaluate",
    "facts_of_case",
    "is_business_day",
    "is_field_day",
    "is_mistyped",
    "is_open_to_the_team",
    "is_stopped_by_a_hold",
    "lawful_windows",
    "laws_named",
    "laws_of",
    "load_packs",
    "local_day",
    "may_be_law_of",
    "read_pack",
    "region_named",
    "retention_for",
    "retention_of",
    "screen",
    "shipped",
    "zone_of",
]
