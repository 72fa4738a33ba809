"""Promises have the retention class that the events of their case name."""

from datetime import timedelta

import pytest

from shared.ids import new_id
from tests.followup.conftest import MONDAY, noon, paid, promised

FRIDAY, NEXT_WEEK = MONDAY + timedelta(days=4), MONDAY + timedelta(days=9)


@pytest.mark.dialect
async def test_each_event_has_the_class_of_its_case(system):
    card, loan = new_id(), new_id()
    await system.hear(promised(card, (FRIDAY, "3000")), retention="cn-retain-card")
    await system.hear(promised(loan, (FRIDAY, "3000")), retention="cn-retain-cfc")
    await system.hear(paid(loan, "3000", MONDAY), retention="cn-retain-cfc")
    assert await system.settle_at(noon(NEXT_WEEK)) == 1
    told = {case: {} for case in (str(card), str(loan))}
    for kind, headers, _ in await system.published():
        told[headers["ce_partitionkey"]][kind] = headers["ce_retention"]
    broken = ("promise-made", "instalment-missed", "promise-broken", "revisit-requested")
    assert told[str(card)] == dict.fromkeys(broken, "cn-retain-card")
    assert told[str(loan)] == dict.fromkeys(("promise-made", "promise-kept"), "cn-retain-cfc")


async def test_events_of_an_older_release_name_no_class_and_a_later_one_counts(system):
    case = new_id()
    await system.hear(promised(case, (FRIDAY, "3000")))
    await system.hear(paid(case, "1", MONDAY), retention="us-retain")
    await system.hear(paid(case, "2999", MONDAY))
    classes = [(kind, headers["ce_retention"]) for kind, headers, _ in await system.published()]
    assert classes == [("promise-made", "house-retain"), ("promise-kept", "us-retain")]
