"""The facts of a case, with the team that would go."""

from services.visits.settings import VisitsSettings
from shared.law import CollectorFacts, Facts


def with_team(facts: Facts, team: tuple[CollectorFacts, ...] | None, settings: VisitsSettings) -> Facts:
    """The facts of a case, with the team that would go."""
    return facts.model_copy(
        update={
            "collectors": team,
            "required_certificates": frozenset({settings.required_certificate}),
        }
    )
