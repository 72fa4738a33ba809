"""What the gate is told besides the case: who goes, and what is known of the agency."""

from services.visits.settings import VisitsSettings
from shared.law import CollectorFacts, Facts


def with_team(facts: Facts, team: tuple[CollectorFacts, ...] | None, settings: VisitsSettings) -> Facts:
    """The facts of a case, with the team that would go."""
    return facts.model_copy(
        update={
            "collectors": team,
            "required_certificates": frozenset({settings.required_certificate}),
            "agency_reviewed_on": settings.agency_reviewed_on,
            "agency_listed": settings.agency_listed,
            "agent_changed_at": settings.agent_changed_at,
        }
    )
