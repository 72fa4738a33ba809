"""Kinds about places: where nobody goes, and how well a position is known."""

from pydantic import model_validator

from shared.law.facts import Facts
from shared.law.kinds.base import Moment, Outcome, Parameters, Tolerance, missing
from shared.law.kinds.conditions import Conditional, set_aside
from shared.law.names import PLACES, listed, name_of
from shared.law.terms import PlaceType


class ForbiddenPlace(Conditional):
    """Not at these places; with `denied`, not at those that the debtor is known to find inconvenient."""

    places: tuple[PlaceType, ...] = ()
    denied: bool = False

    @model_validator(mode="after")
    def _names_a_place(self) -> "ForbiddenPlace":
        if not self.places and not self.denied:
            raise ValueError("no place is named and `denied` is not set, so that the rule could never fire")
        return self


def forbidden_place(parameters: ForbiddenPlace, facts: Facts, moment: Moment) -> Outcome:
    place = facts.place_type
    inputs = {"place_type": place, "denied_places": sorted(facts.denied_places)}
    if place not in parameters.places and not (parameters.denied and place in facts.denied_places):
        return Outcome(True, inputs, "The place is allowed.", "地點無礙。")
    en, zh = PLACES[place]
    return set_aside(parameters, facts) or Outcome(
        False, inputs, f"No contact at this place: {en}.", f"不得於此地點接觸：{zh}。"
    )


class Position(Parameters):
    """How precise a check-in is. A position that the phone itself calls made up is never within tolerance."""

    distance_m: Tolerance
    accuracy_m: Tolerance
    clock_offset_seconds: Tolerance


def position(limits: Position, facts: Facts, moment: Moment) -> Outcome:
    found = {name: getattr(facts, name) for name in ("distance_m", "accuracy_m", "clock_offset_seconds")}
    if facts.mock_location:
        made_up = {**found, "mock_location": True}
        return Outcome(False, made_up, "The phone says that its position is made up.", "手機回報其定位為虛擬。")
    unknown = tuple(name for name, value in found.items() if value is None)
    if unknown:
        return missing(*unknown)
    over = [name for name, value in found.items() if abs(value) > getattr(limits, name)]
    if over:
        en, zh = listed(map(name_of, over))
        return Outcome(False, found, f"Beyond the tolerance: {en}.", f"超出容許範圍：{zh}。")
    return Outcome(True, found, "Position and clock are within tolerance.", "定位與時間在容許範圍內。")
