"""The law, as data and as pure functions: rule packs, and the gate that judges an act by them."""

from shared.law.calendar import add_business_days, is_business_day, zone_of
from shared.law.facts import Certificate, CollectorFacts, Facts, HoldFacts
from shared.law.gate import Decision, Finding, earliest_lawful, evaluate, lawful_windows
from shared.law.packs import PackInvalid, RulePack, load_packs, packs_for, read_pack
from shared.law.terms import (
    Disposition,
    DispositionGroup,
    HoldReason,
    HoldScope,
    PersonMet,
    PlaceType,
    Step,
    Verdict,
    VisitPurpose,
)

__all__ = [
    "Certificate",
    "CollectorFacts",
    "Decision",
    "Disposition",
    "DispositionGroup",
    "Facts",
    "Finding",
    "HoldFacts",
    "HoldReason",
    "HoldScope",
    "PackInvalid",
    "PersonMet",
    "PlaceType",
    "RulePack",
    "Step",
    "Verdict",
    "VisitPurpose",
    "add_business_days",
    "earliest_lawful",
    "evaluate",
    "is_business_day",
    "lawful_windows",
    "load_packs",
    "packs_for",
    "read_pack",
    "zone_of",
]
