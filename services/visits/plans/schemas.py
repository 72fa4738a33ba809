"""Bodies and replies of day plans. Times are the debtors'; a prize and a detour are seconds of travel."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from services.visits.plans.domain import PlanStatus
from services.visits.routing.day import DOORS_MAX, TEAMS_MAX
from shared.bodies import Body
from shared.law import StatedDay


def _by_the_debtors_clock(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("a time of the debtors' clock has no offset, such as 09:00")
    return value


ClockTime = Annotated[time, AfterValidator(_by_the_debtors_clock)]


class Shift(Body):
    """From start until end, by the debtors' clock."""

    start: ClockTime = time(9)
    end: ClockTime = time(18)

    @model_validator(mode="after")
    def _forwards(self) -> "Shift":
        if self.start >= self.end:
            raise ValueError("a shift starts before it ends")
        return self


class RestBody(Body):
    """A break of so many minutes, begun at `earliest` or later and over by `latest`."""

    earliest: ClockTime = time(11, 30)
    latest: ClockTime = time(14)
    minutes: Annotated[int, Field(ge=5, le=240)] = 45

    def fits(self, shift: Shift) -> bool:
        """Whether a team can take it within its shift."""
        begins, ends = max(self.earliest, shift.start), min(self.latest, shift.end)
        return _minute(begins) + self.minutes <= _minute(ends)


def _minute(clock: time) -> float:
    return clock.hour * 60 + clock.minute + clock.second / 60


class Place(Body):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Place":
        if self.latitude == self.longitude == 0:
            raise ValueError("the position 0, 0 lies at sea: name where the teams start")
        return self


class TeamDayBody(Body):
    """What is different for one team on this day; what is left out is as for all."""

    team_id: UUID
    shift: Shift | None = None
    depot: Place | None = None
    rest: RestBody | None = None
    visits_max: Annotated[int | None, Field(ge=0, le=50)] = None


class DayPlanBody(Body):
    """Teams: all by default. Cases: all that are wanted, or those of `case_ids` alone, such as one part of the area.
    Depot: the middle of the day's addresses by default. `seconds`: how long to judge and search, or `iterations` from
    a seed, which give the same plan every time. A plan is published once it is solved, unless `publish` is false."""

    day: StatedDay
    team_ids: Annotated[list[UUID] | None, Field(max_length=TEAMS_MAX)] = None
    teams: Annotated[list[TeamDayBody], Field(max_length=TEAMS_MAX)] = []
    shift: Shift = Shift()
    rest: RestBody | None = None
    depot: Place | None = None
    visits_per_team_max: Annotated[int, Field(ge=1, le=50)] = 15
    minutes_per_visit: Annotated[int, Field(ge=5, le=240)] = 20
    case_ids: Annotated[list[UUID] | None, Field(min_length=1, max_length=DOORS_MAX)] = None
    priority_case_ids: Annotated[list[UUID], Field(max_length=200)] = []
    seconds: Annotated[float, Field(ge=0.1, le=120)] = 5.0
    iterations: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    publish: bool = True

    @model_validator(mode="after")
    def _can_be_meant(self) -> "DayPlanBody":
        named = [each.team_id for each in self.teams]
        if len(set(named)) < len(named):
            raise ValueError("a team is there twice in `teams`: say all that is different for it once")
        if self.team_ids is not None and not set(named) <= set(self.team_ids):
            raise ValueError("a team of `teams` is not among `team_ids`: add it there, or leave it out here")
        for shift, rest in [(self.shift, self.rest), *((each.shift, each.rest) for each in self.teams)]:
            shift, rest = shift or self.shift, rest or self.rest
            if rest is not None and not rest.fits(shift):
                raise ValueError("a break does not fit into its shift and between its own times: shorten or move it")
        return self


class LateTeamBody(Body):
    team_id: UUID
    minutes: Annotated[int, Field(ge=1, le=600)]


class ReplanBody(Body):
    """What happened: a team that fell ill, one that is late, an urgent visit, a debtor who is not there today.
    What is done stays done, what was promised stays where it is."""

    ill_team_ids: Annotated[list[UUID], Field(max_length=TEAMS_MAX)] = []
    late: Annotated[list[LateTeamBody], Field(max_length=TEAMS_MAX)] = []
    urgent_case_ids: Annotated[list[UUID], Field(max_length=200)] = []
    no_show_case_ids: Annotated[list[UUID], Field(max_length=DOORS_MAX)] = []
    seconds: Annotated[float, Field(ge=0.1, le=120)] = 2.0
    iterations: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    publish: bool = True


class MoveBody(Body):
    """Put a case on a team's route at a position (0 is first), or off the plan where no team is named."""

    case_id: UUID
    team_id: UUID | None = None
    position: Annotated[int, Field(ge=0, le=50)] = 0


class LeftOutCount(BaseModel):
    """`reason` is a rule's id, or one of the planner's reasons."""

    reason: str
    count: int


class ChangesView(BaseModel):
    """What changed against the plan before, by case, and in words."""

    added: list[UUID]
    removed: list[UUID]
    other_team: list[UUID]
    other_time: list[UUID]
    en: str
    zh: str


class DayPlanView(BaseModel):
    """`cost` is seconds of travel plus the prizes of doors left out; `travel_source` says where travel times come
    from; `changes` is the difference to the plan that it replaces; `basis_deleted_at` is when its places, travel times
    and routes were deleted, seven days after its day."""

    id: UUID
    day: date
    status: PlanStatus
    asked_at: datetime
    revision: int
    replaces: UUID | None
    visits: int
    teams: int
    kilometres: float
    cost: int | None
    travel_source: str | None
    left_out: list[LeftOutCount]
    changes: ChangesView | None
    problem: str | None
    basis_deleted_at: datetime | None


class PrizeView(BaseModel):
    """Why a visit is worth so many seconds: stake × chance × weight, or what outranks money."""

    seconds: int
    stake: str
    currency: str
    chance: str
    weight: str
    outranks: str | None = None


class StopView(BaseModel):
    """`held`: a hold, such as that of a complaint, stops the visit now, for the reasons of `held_by`."""

    case_id: UUID
    position: int
    arrival: datetime
    start: datetime
    end: datetime
    windows: list[tuple[AwareDatetime, AwareDatetime]]
    prize: PrizeView
    held: bool = False
    held_by: list[str] = []


class RouteView(BaseModel):
    team_id: UUID
    leaves: datetime
    back: datetime
    rest: tuple[datetime, datetime] | None
    travel_seconds: int
    stops: list[StopView]


class LeftOutView(BaseModel):
    """Why a case is not on the plan, in a code and in words; the rule and its stored decision where one forbade it."""

    case_id: UUID
    reason: str
    rule_id: str | None
    decision_id: UUID | None
    prize_seconds: int | None
    detour_seconds: int | None
    en: str
    zh: str


class RevisionView(BaseModel):
    """What was done to a plan, when and by whom."""

    revision: int
    what: str
    made_at: datetime
    made_by: str
    changes: ChangesView
