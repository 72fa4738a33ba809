"""A complaint is answered by the law of the case's place, also where that law came after the case was opened."""

import pytest

from shared.auth import Role
from shared.events.visits import RulePackActivated
from shared.ids import new_id
from tests.cases.placements.test_places import US, placed

NEW_YORK = """
id: us-ny
version: "2026.1"
title: {en: New York, zh: 美國紐約州}
within: us
rules:
  - id: us-ny-complaint
    kind: deadline
    effect: deadline
    authority: law
    verified: primary
    source: A law of tests
    parameters: {matter: complaint, days: 5}
    says: {en: A complaint is answered within five days., zh: 申訴應於五日內答覆。}
"""


async def due(system, case):
    complaint = {"kind": "CONDUCT", "channel": "CALL"}
    filed = await system.post(f"/cases/{case}/complaints", complaint, 201, Role.COMPLIANCE)
    return filed["answer_due_on"], filed["due_by_rule"]


@pytest.mark.parametrize(
    ("first_day", "expected"),
    [("2026-03-01", ("2026-03-06", "us-ny-complaint")), ("2026-03-02", ("2026-03-20", "house-complaint"))],
)
async def test_the_narrower_law_that_came_into_force_meanwhile_sets_the_day(system, first_day, expected):
    """It is the evening of the first of March in New York."""
    await placed(system, US, "40.71,-74.01,US,NY")
    [case] = (await system.get("/cases"))["items"]
    assert case["jurisdiction"] == "us"
    activated = RulePackActivated(
        pack_version_id=new_id(), pack="us-ny", pack_version="2026.1", pack_digest="5a" * 32,
        effective_from=first_day, yaml=NEW_YORK,
    )  # fmt: skip
    await system.hear(activated, key=new_id())
    assert await due(system, case["id"]) == expected
