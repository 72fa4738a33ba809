"""The main job, played from outside over HTTP: lenders send accounts, a supervisor refers, plans and sends teams,
collectors visit, debtors pay or do not, and the clock moves until every promise has been kept or broken.

What a debtor does is drawn from the account's own reference, so that the same feed always gives the same story.
"""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from services.cli.demo import acts
from services.cli.demo.actors import Cast, Team
from services.cli.demo.lives import (
    FIRST_DAY,
    ZONE,
    at,
    at_the_address,
    chance,
    hazards,
    new_collector,
    payment,
    reception,
)
from services.cli.demo.planning import Illness, a_team_falls_ill, plan_day
from services.cli.demo.portfolio import Portfolio

WORKING_DAYS = 5
AGENCY = {"reviewed_on": "2026-01-15", "listed": True}  # what the lenders have recorded about us, their agent
CHECKED_AT = at(FIRST_DAY - timedelta(days=3), 11)
DAY_OF_ILLNESS = 1
SLOT_MINUTES = 60
AT_ONCE_MAX = 8
BATCH_MAX = 200

Answer = TypeVar("Answer")
Tick = Callable[[str, int, int], None]


@dataclass(slots=True)
class Promise:
    """A promise as the debtor remembers it."""

    account_ref: str
    lender_id: str
    due_on: date
    amount: Decimal
    pays: str  # in full, in part, or not


@dataclass(slots=True)
class Seen:
    """What the driver saw happen, to be held against what the system reports."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    plans: list[dict[str, Any]] = field(default_factory=list)
    illness: Illness | None = None
    completed: int = 0
    dispositions: Counter[str] = field(default_factory=Counter)
    blocked_by_rule: Counter[str] = field(default_factory=Counter)
    promises: list[Promise] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    paid: Decimal = Decimal(0)
    example_decision: str | None = None


def batches(items: list[Any], size: int = BATCH_MAX) -> Iterable[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def side_by_side(work: Iterable[Awaitable[Answer]]) -> list[Answer]:
    """A few at a time, as several teams are under way at once. Answers in the order of the work."""
    gate = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(task: Awaitable[Answer]) -> Answer:
        async with gate:
            return await task

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(task)) for task in work]
    return [task.result() for task in tasks]


class Story:
    """The five days and what comes after, on one system."""

    def __init__(self, cast: Cast, portfolios: list[Portfolio], tick: Tick) -> None:
        self.cast = cast
        self.portfolios = portfolios
        self.seen = Seen()
        self._tick = tick
        self._pays = {(p.lender_id, ref): pays for p in portfolios for ref, pays in p.pays.items()}
        self._teams_count = 4 if sum(p.rows for p in portfolios) < 2_000 else 16

    async def play(self) -> Seen:
        await self.intake()
        await self.people()
        await self.contacts()
        day = FIRST_DAY
        for number in range(WORKING_DAYS):
            await self.working_day(day, number)
            day += timedelta(days=1)
        await self.afterwards(day)
        return self.seen

    # -- before the first visit

    async def intake(self) -> None:
        """Each lender is set up and sends its file; a second send of the same file changes nothing."""
        for number, portfolio in enumerate(self.portfolios):
            self._tick("lenders' files", number, len(self.portfolios))
            set_up = acts.register_lender(portfolio.lender_id, portfolio.profile, AGENCY, portfolio.lender_name)
            await self.cast.operator.does(set_up)
            lender = self.cast.lenders[portfolio.lender_id]
            for _ in range(2):
                sent = await lender.does(acts.push_file(portfolio.csv, control_rows=portfolio.rows))
            self.seen.accepted.append(await lender.does(acts.taken_in(sent.headers["Location"])))
        self._tick("lenders' files", len(self.portfolios), len(self.portfolios))
        await self.cast.quiet()

    async def people(self) -> None:
        """Collectors with certificates, in teams of two. The last team's second collector is not certified."""
        for number in range(self._teams_count):
            last = number == self._teams_count - 1
            people = [new_collector(number, rank, certified=not (last and rank == 1)) for rank in range(2)]
            team_id, ids = await self.cast.supervisor.does(acts.form_team(f"Team {number + 1}", *people))
            self.cast.teams[team_id] = Team([self.cast.collector(each) for each in ids], ids)
        await self.cast.quiet()

    async def contacts(self) -> None:
        """Calls that nobody answered, addresses checked, late notices, and a few holds: then the law has facts."""
        supervisor = self.cast.supervisor
        cases = await supervisor.every("/cases/v1/cases")
        refs = {case["id"]: case["accounts"][0]["account_ref"] for case in cases}
        done = 0
        for batch in batches(cases):
            await self._call(batch, refs)
            checked = acts.verify_addresses(hazards({each["id"]: refs[each["id"]] for each in batch}), at=CHECKED_AT)
            await supervisor.does(checked)
            done += len(batch)
            self._tick("calls and address checks", done, len(cases))
        referred = await supervisor.every("/cases/v1/cases", referred="true")
        complained = [case for case in referred if chance(refs[case["id"]], "complains") < 0.01]
        for case in complained:
            hold = acts.place_hold(case["id"], "COMPLAINT_PENDING", str(FIRST_DAY + timedelta(days=30)))
            await self.cast.officer.does(hold)
        await self.cast.quiet()

    async def _call(self, cases: list[dict[str, Any]], refs: dict[str, str]) -> None:
        attempts = []
        for days_before in (6, 4, 2):
            day = FIRST_DAY - timedelta(days=days_before)
            for case in cases:
                refused = chance(refs[case["id"]], "refuses") < 0.1
                result = "RPC_REFUSED" if refused and days_before < 6 else "NO_ANSWER"
                attempts.append({"case_id": case["id"], "channel": "CALL", "result": result, "at": at(day, 10)})
        await self.cast.supervisor.post("/cases/v1/contact-attempts", {"attempts": attempts})

    # -- a day

    async def working_day(self, day: date, number: int) -> None:
        await self.cast.move_clock(at(day, 8))
        if number == DAY_OF_ILLNESS:
            await self._late_notices()
        plan = await plan_day(self.cast, day)
        if number == DAY_OF_ILLNESS:
            plan, self.seen.illness = await a_team_falls_ill(self.cast, plan)
        self.seen.plans.append(plan)
        visits = await self.cast.supervisor.does(acts.visits_of(plan, status="PLANNED"))
        slots: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
        for visit in visits:
            slots[_slot(visit["window_start"])].append(visit)
        under_way: list[dict[str, Any]] = []
        done = 0
        for start in _boundaries(slots):
            await self.cast.move_clock(start.isoformat())
            await side_by_side(self.at_the_door(visit, day) for visit in under_way)
            done += len(under_way)
            sent = await side_by_side(self.send(visit) for visit in slots.get(start, []))
            under_way = [visit for visit in sent if visit]
            self._tick(f"day {number + 1}: visits", done, len(visits))
        self._tick(f"day {number + 1}: visits", len(visits), len(visits))
        await self.cast.move_clock(at(day, 20))
        await self.payments(day)

    async def _late_notices(self) -> None:
        """On the second day the lender without a notice makes up for it, for half of its debtors."""
        without = [p.lender_id for p in self.portfolios if "notice" not in p.profile]
        for lender_id in without:
            cases = await self.cast.supervisor.every("/cases/v1/cases", lender_id=lender_id, referred="true")
            late = [case for case in cases if chance(case["accounts"][0]["account_ref"], "late notice") < 0.5]
            notices = [
                {
                    "case_id": case["id"],
                    "kind": "PRIOR_NOTICE",
                    "channel": "LETTER",
                    "sent_at": at(FIRST_DAY, 15),
                    "proof_digest": hashlib.sha256(case["id"].encode()).hexdigest(),
                }
                for case in late
            ]
            for batch in batches(notices):
                await self.cast.supervisor.post("/cases/v1/notices", {"notices": batch})
        await self.cast.quiet()

    async def send(self, visit: dict[str, Any]) -> dict[str, Any] | None:
        """Send the team, if the law lets it go."""
        sent = await self.cast.supervisor.does(acts.dispatch(visit["id"], allowed=(409,)))
        return visit if self._allowed(sent) else None

    async def at_the_door(self, visit: dict[str, Any], day: date) -> None:
        """One visit: read the dossier, two check in, talk, write it down."""
        team = self.cast.teams[visit["team_id"]]
        lead = team.collectors[0]
        dossier = await lead.get(f"/cases/v1/cases/{visit['case_id']}/dossier", reason="VISIT")
        reference = dossier["accounts"][0]["account_ref"]
        alone = chance(reference, f"alone {day}") < 0.005
        arrived = datetime.fromisoformat(visit["window_start"])
        for collector, collector_id in zip(team.collectors[: 1 if alone else 2], team.collector_ids, strict=False):
            report = acts.check_in(visit["id"], at_the_address(collector_id, dossier, arrived), allowed=(409,))
            if not self._allowed(await collector.does(report)):
                return
        if alone:
            path = f"/visits/v1/visits/{visit['id']}/abort"
            await lead.post(path, {"reason": "COLLECTOR_UNAVAILABLE", "at": arrived.isoformat()})
            self.seen.dispositions["COLLECTOR_UNAVAILABLE"] += 1
            return
        record = self._record(visit, dossier, reference, day, arrived)
        await lead.does(acts.complete(visit["id"], record, key=f"complete-{visit['id']}"))
        self.seen.completed += 1
        self.seen.dispositions[record["disposition"]] += 1

    def _allowed(self, answer: httpx.Response) -> bool:
        """Whether the law lets it happen. A refusal is counted by its rules."""
        if answer.status_code != 409:
            return True
        problem = answer.json()
        for rule in problem.get("rules") or [{"rule_id": problem["title"]}]:
            self.seen.blocked_by_rule[rule["rule_id"]] += 1
        self.seen.example_decision = self.seen.example_decision or problem.get("decision_id")
        return False

    def _record(
        self, visit: dict[str, Any], dossier: dict[str, Any], reference: str, day: date, arrived: datetime
    ) -> dict[str, Any]:
        """What the debtor says and does at the door, and what the collectors write down."""
        balance = Decimal(dossier["balance"]["amount"])
        currency = dossier["balance"]["currency"]
        lender_id = dossier["lender_id"]
        disposition, person = reception(reference, day)
        record: dict[str, Any] = {
            "ended_at": (arrived + timedelta(minutes=15)).isoformat(),
            "disposition": disposition,
            "person_met": person,
            "indoor": False,
            "credentials_shown": True,
            "authority_shown": True,
            "evidence": [
                {
                    "digest": hashlib.sha256(f"{visit['id']}".encode()).hexdigest(),
                    "media_type": "video/mp4",
                    "size_bytes": 48_000_000,
                }
            ],
        }
        if person == "DEBTOR":
            record |= {
                "willingness": 1 + int(chance(reference, "willing") * 5),
                "ability": 1 + int(chance(reference, "able") * 5),
            }
            record["statement"] = "我會想辦法還。" if disposition == "PROMISE_TO_PAY" else "現在沒有辦法。"
        if disposition == "PROMISE_TO_PAY":
            record["promise"] = {"instalments": self._promise(reference, lender_id, balance, currency, day)}
        if disposition == "PAID_PARTIAL":
            amount = max(Decimal(1), (balance / 10).quantize(Decimal(1)))
            receipt = f"R{hashlib.sha256(visit['id'].encode()).hexdigest()[:10].upper()}"
            record["cash"] = {"receipt_number": receipt, "amount": {"amount": str(amount), "currency": currency}}
            line = payment(f"CASH-{reference}-{day}", reference, amount, currency, day, lender_id)
            self.seen.receipts.append(line | {"receipt_number": receipt})
        return record

    def _promise(
        self, reference: str, lender_id: str, balance: Decimal, currency: str, day: date
    ) -> list[dict[str, Any]]:
        amount = min(balance, max(Decimal(1), (balance / 4).quantize(Decimal(1))))
        due_on = day + timedelta(days=1 + int(chance(reference, "due") * 4))
        pays = "full" if self._pays[(lender_id, reference)] else "part" if chance(reference, "part") < 0.25 else "not"
        self.seen.promises.append(Promise(reference, lender_id, due_on, amount, pays))
        return [{"due_on": str(due_on), "amount": {"amount": str(amount), "currency": currency}}]

    # -- money

    async def payments(self, day: date) -> None:
        """The lenders report what came in today: promises paid when due, and the cash of the door by its receipt."""
        lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for promise in self.seen.promises:
            if promise.due_on == day and promise.pays != "not":
                amount = promise.amount if promise.pays == "full" else (promise.amount / 3).quantize(Decimal(1))
                if amount > 0:
                    line = payment(
                        f"PAY-{promise.account_ref}-{day}", promise.account_ref, amount, "TWD", day, promise.lender_id
                    )
                    lines[promise.lender_id].append(line)
                    self.seen.paid += amount
        for receipt in [receipt for receipt in self.seen.receipts if receipt["received_on"] == str(day)]:
            lines[receipt["lender_id"]].append(receipt)
            self.seen.paid += Decimal(receipt["amount"]["amount"])
        for lender_id in sorted(lines):
            wire = [{name: value for name, value in line.items() if name != "lender_id"} for line in lines[lender_id]]
            for batch in batches(wire):
                for _ in range(2):  # sent twice, as happens; it counts once
                    await self.cast.lenders[lender_id].does(acts.report_payments(batch))
        await self.cast.quiet()

    async def afterwards(self, day: date) -> None:
        """The clock moves on, a day at a time, until the last promise is due and its grace has passed."""
        last = max((promise.due_on for promise in self.seen.promises), default=day) + timedelta(days=4)
        days = max(0, (last - day).days) + 1
        for number in range(days):
            today = day + timedelta(days=number)
            await self.cast.move_clock(at(today, 20))
            await self.payments(today)
            self._tick("promises fall due", number + 1, days)


def _slot(window_start: str) -> datetime:
    """The hour that a window begins in, by the debtor's clock."""
    start = datetime.fromisoformat(window_start).astimezone(ZONE)
    return start.replace(minute=start.minute - start.minute % SLOT_MINUTES, second=0, microsecond=0)


def _boundaries(slots: dict[datetime, list[dict[str, Any]]]) -> list[datetime]:
    """When something is to be done: at the start of each slot, and at its end, when its visits are over."""
    step = timedelta(minutes=SLOT_MINUTES)
    return sorted({*slots, *(start + step for start in slots)})
