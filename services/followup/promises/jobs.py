"""The timer of followup: when grace has passed, a promise is judged, wherever the debtor's midnight is."""

from services.followup.promises import usecases
from shared.due import in_pages

judge_due_promises = in_pages(usecases.is_any_due, usecases.judge_due)
