"""What is asked before a contact, what is recorded of one, and by which law; on both databases."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.auth import Role
from shared.events.visits import RulePackActivated, RulePackWithdrawn, VisitCompleted
from shared.ids import new_id
from shared.law import load_packs, read_pack
from tests.actors.samples import DIGEST

US = {"jurisdiction": "us", "country": "US", "time_zone": "America/New_York", "notice": None}
FR = {"jurisdiction": "eu", "country": "FR", "time_zone": "Europe/Paris"}
CN = {"jurisdiction": "cn", "country": "CN", "time_zone": "Asia/Shanghai"}


async def verdict(system, case, time="2026-03-02T12:00:00+08:00", **more):
    body = {"contacts": [{"case_id": case, "at": time, **more}]}
    [item] = (await system.post("/contact-checks", body))["items"]
    stopped = {each["rule_id"] for each in item["decision"]["findings"] if each["verdict"] == "block"}
    return item["verdict"], stopped


@pytest.mark.dialect
async def test_attempts_of_one_batch_count_for_each_other_and_the_forbidden_one_is_kept_and_flagged(system):
    case, other = await system.place("A-1", "A-2", **CN)
    batch = [
        {"case_id": case, "channel": "CALL", "result": "RPC_OTHER", "at": f"2026-03-02T1{n}:00:00+08:00"}
        for n in (0, 1, 2)
    ]
    night = {"case_id": other, "channel": "CALL", "result": "NO_ANSWER", "at": "2026-03-01T23:00:00+08:00"}
    letter = night | {"channel": "LETTER", "result": "DELIVERED"}
    last = batch[0] | {"at": "2026-03-02T12:00:00+08:00"}
    unknown = night | {"case_id": str(new_id())}
    recorded = await system.post("/contact-attempts", {"attempts": [*batch, last, night, letter, unknown]})
    assert recorded["recorded"] == 6
    assert recorded["flagged"] == [{"index": 3, "rules": ["cn-call-cap"]}, {"index": 4, "rules": ["cn-hours"]}]
    assert [each["index"] for each in recorded["refused"]] == [6]
    assert await verdict(system, case) == ("block", {"cn-call-cap"})
    kept = (await system.get("/contact-attempts", flagged=True))["items"]
    assert [each["flagged"] for each in kept] == [["cn-call-cap"], ["cn-hours"]]
    assert len((await system.get("/contact-attempts", flagged=False))["items"]) == 4
    page = await system.get("/contact-attempts", limit=2)
    assert len((await system.get("/contact-attempts", cursor=page["next_cursor"]))["items"]) == 4


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("03:00:00", ("block", {"house-hours"})),
        ("07:59:59", ("block", {"house-hours"})),
        ("08:00:00", ("pass", set())),
        ("20:00:00", ("pass", set())),
        ("20:01:00", ("block", {"house-hours"})),
    ],
)
async def test_a_call_has_the_hours_of_the_house_where_no_law_sets_any(system, time, expected):
    [case] = await system.place("A-1", **FR)
    assert await verdict(system, case, f"2026-03-02T{time}+01:00") == expected


@pytest.mark.dialect
async def test_consents_complaints_and_quiet_days_are_judged_here_at_once(system):
    [case] = await system.place("A-1")
    night = "2026-03-02T23:00:00+08:00"
    assert await verdict(system, case, night) == ("block", {"tw-hours"})
    body = {"scope": "HOURS", "channel": "RECORDED_CALL", "given_at": "2026-03-02T09:00:00+08:00"}
    given = await system.post(f"/cases/{case}/consents", body | {"proof_digest": DIGEST}, 201)
    assert (await verdict(system, case, night))[0] == "pass"
    await system.post(f"/consents/{given['id']}/withdraw", {})
    assert await verdict(system, case, night) == ("block", {"tw-hours"})
    complaint = {"kind": "HOURS", "channel": "CALL"}
    filed = await system.post(f"/cases/{case}/complaints", complaint, 201, Role.LENDER)
    assert await verdict(system, case) == ("block", {"house-hold"})
    answer = {"outcome": "NOT_UPHELD", "answer_digest": DIGEST}
    await system.post(f"/complaints/{filed['id']}/resolve", answer, role=Role.COMPLIANCE)
    assert (await verdict(system, case))[0] == "pass"
    assert (await system.get("/complaints", overdue=True))["items"] == []
    assert len((await system.get("/complaints", overdue=False, resolved=True))["items"]) == 1
    period = {"reason": "BEREAVEMENT", "first_day": "2026-03-01", "proof_digest": DIGEST}
    await system.post(f"/cases/{case}/quiet-periods", period, 201)
    assert len((await system.get(f"/cases/{case}/quiet-periods"))["items"]) == 1
    assert len((await system.get(f"/cases/{case}/notices"))["items"]) == 1
    kinds = await system.types()
    assert kinds[-7:] == [
        "consent-recorded", "consent-withdrawn", "case-held", "complaint-filed", "complaint-resolved", "case-released",
        "quiet-period-recorded",
    ]  # fmt: skip


def visited(case, started_at, *, contact):
    return VisitCompleted(
        case_id=case,
        visit_id=new_id(),
        team_id=new_id(),
        collector_ids=[],
        purpose="DEMAND",
        started_at=started_at,
        ended_at=started_at + timedelta(minutes=10),
        disposition="NO_COMMITMENT" if contact else "NO_ANSWER",
        person_met="DEBTOR" if contact else "NONE",
        contact=contact,
        evidence=[],
        decision_id=new_id(),
        record_incomplete=False,
        missing=[],
        time_zone="America/New_York",
    )


async def test_the_first_contact_is_never_forgotten_however_it_was_made(system):
    """The validation notice is due five days after it; it was never sent."""
    called, met, nobody = await system.place("A-1", "A-2", "A-3", **US)
    attempt = {"case_id": called, "channel": "CALL", "result": "RPC_OTHER", "at": "2026-02-10T12:00:00-05:00"}
    await system.post("/contact-attempts", {"attempts": [attempt]})
    afternoon = datetime(2026, 2, 20, 18, tzinfo=UTC)
    await system.hear(visited(met, afternoon, contact=True), visited(nobody, afternoon, contact=False))
    assert await verdict(system, called, "2026-02-12T12:00:00-05:00") == ("block", {"us-calls-conversation"})
    for time in ("2026-02-27T12:00:00-05:00", "2026-06-10T12:00:00-04:00"):
        assert await verdict(system, called, time) == ("block", {"us-validation"})
        assert await verdict(system, met, time) == ("block", {"us-validation"})
        assert (await verdict(system, nobody, time))[1] == set()
    earlier = attempt | {"at": "2026-02-01T12:00:00-05:00"}
    await system.post("/contact-attempts", {"attempts": [attempt, earlier]})
    reached = [json.loads(data) for kind, _, data in await system.published() if kind == "debtor-reached"]
    assert [each["case_id"] for each in reached] == [called, met, called]
    assert reached[-1]["first_contact_at"] == earlier["at"]


async def test_a_letter_is_judged_by_what_stops_all_contact_and_by_whom_it_reaches(system):
    """It has no hours; a hold of calls does not stop it, one of all contact does."""
    [case] = await system.place("A-1")
    night = "2026-03-02T23:00:00+08:00"
    letter = {"channel": "LETTER"}
    assert await verdict(system, case, night, **letter) == ("pass", set())
    friend = letter | {"person": "THIRD_PARTY", "contact_point": "friend-1"}
    assert await verdict(system, case, **friend) == ("block", {"tw-no-third-party-contact"})
    hold = {"reason": "LENDER_INSTRUCTION", "scope": "call", "review_on": "2026-03-09"}
    await system.post(f"/cases/{case}/holds", hold, 201)
    assert (await verdict(system, case, **letter))[0] == "pass"
    assert await verdict(system, case) == ("block", {"house-hold"})
    await system.post(f"/cases/{case}/holds", hold | {"reason": "DECEASED", "scope": "all"}, 201)
    assert await verdict(system, case, **letter) == ("block", {"house-hold"})
    sent = letter | {"case_id": case, "result": "DELIVERED", "at": "2026-03-02T12:00:00+08:00"}
    recorded = await system.post("/contact-attempts", {"attempts": [sent]})
    assert recorded["flagged"] == [{"index": 0, "rules": ["house-hold"]}]


async def test_what_a_third_party_said_is_never_forgotten(system):
    """In China who refused is not asked again, in the United States nobody is asked twice; however long ago it was."""
    [case] = await system.place("A-1", **CN)
    friend = {"person": "THIRD_PARTY", "contact_point": "friend-1"}
    lost = {"case_id": case, "channel": "CALL", "result": "WRONG_NUMBER"}
    calls = [lost | {"at": f"2026-02-2{n}T12:00:00+08:00"} for n in (4, 5, 6)]
    refused = lost | friend | {"result": "THIRD_PARTY_REFUSED", "at": "2025-11-01T12:00:00+08:00"}
    await system.post("/contact-attempts", {"attempts": calls})
    assert (await verdict(system, case, **friend))[1] == set()
    await system.post("/contact-attempts", {"attempts": [refused]})
    assert await verdict(system, case, **friend) == ("block", {"cn-contact-person", "cn-debtor-only"})
    assert (await verdict(system, case, person="THIRD_PARTY", contact_point="friend-2"))[1] == set()


@pytest.mark.dialect
async def test_a_version_that_was_activated_elsewhere_is_the_law_here_from_its_day(system):
    [case] = await system.place("A-1")
    shipped = load_packs()["tw"]
    text = shipped.text.replace(f'version: "{shipped.version}"', 'version: "2027.1"').replace("22:00", "18:00")
    pack = read_pack("tw.yaml", text.encode())
    activated = RulePackActivated(
        pack_version_id=new_id(),
        pack="tw",
        pack_version=pack.version,
        pack_digest=pack.digest,
        effective_from=date(2026, 3, 4),
        yaml=text,
    )
    await system.hear(activated, key=activated.pack_version_id, lender_id=None)
    assert (await verdict(system, case, "2026-03-03T19:00:00+08:00"))[0] == "pass"
    assert await verdict(system, case, "2026-03-04T19:00:00+08:00") == ("block", {"tw-hours"})
    assert await verdict(system, case, "2026-03-04T00:30:00+09:00") == ("block", {"tw-hours"})
    named = activated.model_dump(exclude={"yaml"})
    await system.hear(RulePackWithdrawn(**named), key=activated.pack_version_id, lender_id=None)
    assert (await verdict(system, case, "2026-03-04T19:00:00+08:00"))[0] == "pass"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contact-checks", {"contacts": [{"case_id": "x"}]}),
        ("/contact-checks", {"contacts": [{"case_id": str(new_id()), "contact_point": "0912345678"}]}),
        ("/contact-checks", {"contacts": [{"case_id": str(new_id()), "channel": "PIGEON"}]}),
        ("/contact-attempts", {"attempts": [{"case_id": str(new_id()), "channel": "CALL", "result": "GONE"}]}),
    ],
)
async def test_what_has_no_sense_is_named(system, path, body):
    problem = await system.post(path, body, 422)
    assert problem["errors"]
    assert "0912345678" not in str(problem)
