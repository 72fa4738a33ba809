"""Holds: recorded reasons that stop contact. A hold is never edited; a release, a fact of its own, ends it."""

from datetime import date

from shared.errors import Conflict, Invalid


def check_review_day(review_on: date, today: date) -> None:
    """A hold is reviewed after the day on which it is placed. Raises Invalid."""
    if review_on <= today:
        raise Invalid("review-day-passed", "A hold is reviewed later than today: name a later day.")


def check_in_force(released: bool) -> None:
    """Raises Conflict for a hold that was released already."""
    if released:
        raise Conflict("hold-released", "This hold was released already. Place a new one if contact must stop.")
