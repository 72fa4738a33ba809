"""What the demo ends with: figures read from the services, held against each other, as tables or as JSON."""

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rich.table import Table

from services.audit.verification.domain import Verification
from services.cli.decisions import show_decision
from services.cli.demo.actors import Cast
from services.cli.demo.lives import FIRST_DAY, at
from services.cli.demo.story import Seen
from shared.cli.output import out
from shared.money import plain

COMPLETED = "doorstep.visits.visit-completed.v1"


async def collect(cast: Cast, seen: Seen, trail: Verification, *, mode: str, seconds: float) -> dict[str, Any]:
    """The document of `doorstep demo --json`."""
    document: dict[str, Any] = {
        "mode": mode,
        "seconds": round(seconds, 1),
        "reconciled": False,
        "accounts": _accounts(seen),
        "cases": 0,
        "referrals": await _referrals(cast),
        "plan": _plan(seen),
        "visits": {**await _visits(cast), "completed": seen.completed},
        "promises": {},
        "money": {},
        "trail": [
            {"log": f"doorstep/{log.log}", "size": log.size, "root": log.root, "verified": not log.problems}
            for log in trail.logs
        ],
    }
    document["cases"] = len(await cast.supervisor.every("/cases/v1/cases"))
    totals = await cast.supervisor.get("/followup/v1/promises/totals")
    document["promises"] = totals["promises"]
    document["money"] = totals["money"]
    document["decisions"] = await _decisions(cast, seen)
    document["checks"] = await _checks(cast, seen, document, trail)
    document["reconciled"] = all(document["checks"].values())
    return document


def _accounts(seen: Seen) -> dict[str, Any]:
    rejected: Counter[str] = Counter()
    balances: defaultdict[str, Decimal] = defaultdict(Decimal)
    for placement in seen.accepted:
        rejected.update(placement["rejected_by_code"])
        for amount in placement["accepted_balance"]:
            balances[amount["currency"]] += Decimal(amount["amount"])
    return {
        "received": sum(placement["received"] for placement in seen.accepted),
        "accepted": sum(placement["accepted"] for placement in seen.accepted),
        "rejected": sum(placement["rejected"] for placement in seen.accepted),
        "rejected_by_code": dict(sorted(rejected.items())),
        "accepted_balance": {currency: plain(amount) for currency, amount in sorted(balances.items())},
    }


async def _referrals(cast: Cast) -> dict[str, Any]:
    counts = (await cast.supervisor.get("/cases/v1/referrals/counts"))["items"]
    return {
        "total": sum(item["count"] for item in counts),
        "by_rule": {item["rule_id"]: item["count"] for item in counts},
    }


def _plan(seen: Seen) -> dict[str, Any]:
    left_out: Counter[str] = Counter()
    for plan in seen.plans:
        for item in plan["left_out"]:
            left_out[item["reason"]] += item["count"]
    return {
        "visits": sum(plan["visits"] for plan in seen.plans),
        "left_out": dict(sorted(left_out.items())),
        "kilometres": round(sum(plan["kilometres"] for plan in seen.plans), 1),
        "days": len(seen.plans),
        "illness": seen.illness.to_json() if seen.illness else None,
    }


async def _visits(cast: Cast) -> dict[str, Any]:
    dispositions: Counter[str] = Counter()
    for visit in await cast.supervisor.every("/visits/v1/visits"):
        if visit.get("disposition"):
            dispositions[visit["disposition"]] += 1
    decisions = (await cast.supervisor.get("/visits/v1/decisions/counts"))["items"]
    blocked: Counter[str] = Counter()
    for item in decisions:
        if item["verdict"] == "block":
            blocked[item["rule_id"]] += item["count"]
    return {"by_disposition": dict(sorted(dispositions.items())), "blocked_by_rule": dict(sorted(blocked.items()))}


async def _decisions(cast: Cast, seen: Seen) -> dict[str, Any]:
    """The gate's decisions of the first day, and one of them in full."""
    window = {"since": at(FIRST_DAY, 0), "until": at(FIRST_DAY + timedelta(days=1), 0)}
    counts = await cast.supervisor.get("/visits/v1/decisions/counts", **window)
    if seen.example_decision is not None:
        shown = [await cast.supervisor.get(f"/visits/v1/decisions/{seen.example_decision}")]
    else:
        shown = (await cast.supervisor.get("/visits/v1/decisions", step="DISPATCH", limit=1))["items"]
    example = shown[0]["decision"] if shown else None
    return {"day": str(FIRST_DAY), "by_step": counts["decisions"], "by_rule": counts["items"], "example": example}


async def _checks(cast: Cast, seen: Seen, document: dict[str, Any], trail: Verification) -> dict[str, bool]:
    """Each thing that must be true for the run to be reconciled, by name."""
    accounts, promises = document["accounts"], document["promises"]
    balances = await cast.supervisor.get("/cases/v1/payments/totals")
    received = {total["currency"]: Decimal(total["received"]) for total in balances["items"]}
    outstanding = {total["currency"]: Decimal(total["outstanding"]) for total in balances["items"]}
    overpaid = {total["currency"]: Decimal(total["overpaid"]) for total in balances["items"]}
    accepted = {currency: Decimal(amount) for currency, amount in accounts["accepted_balance"].items()}
    ended = ("kept", "partially_kept", "broken", "open", "cancelled", "superseded")
    entries = 0
    for log in await cast.officer.every("/audit/v1/logs"):
        counts = await cast.officer.get(f"/audit/v1/logs/{log['log']}/counts")
        entries += sum(item["count"] for item in counts["items"] if item["type"] == COMPLETED)
    return {
        "accepted and rejected make up what was received": accounts["accepted"] + accounts["rejected"]
        == accounts["received"],
        "balances: accepted = outstanding + received - overpaid": all(
            amount == outstanding.get(currency, 0) + received.get(currency, 0) - overpaid.get(currency, 0)
            for currency, amount in accepted.items()
        ),
        "every completed visit has its entry in the trail": entries == seen.completed,
        "every promise has ended or is open": promises["made"] == sum(promises[status] for status in ended),
        "promises made are those that debtors remember": promises["made"] == len(seen.promises),
        "money received is what debtors paid": received.get("TWD", Decimal(0)) == seen.paid,
        "money received = applied + unapplied": all(
            Decimal(money["received"]) == Decimal(money["applied_to_promises"]) + Decimal(money["unapplied"])
            for money in document["money"].values()
        ),
        "cases and followup saw the same money": all(
            Decimal(money["received"]) == received.get(currency, Decimal(0))
            for currency, money in document["money"].items()
        ),
        "each log of the trail verifies": trail.ok and bool(trail.logs),
    }


def show(document: dict[str, Any]) -> None:
    """The document as tables, in the order in which things happened."""
    accounts = document["accounts"]
    _table(
        "Accounts",
        ("", "accounts"),
        [
            ("received", accounts["received"]),
            ("accepted", accounts["accepted"]),
            *((f"rejected: {code}", count) for code, count in accounts["rejected_by_code"].items()),
            *((f"balance accepted, {currency}", amount) for currency, amount in accounts["accepted_balance"].items()),
            ("cases opened", document["cases"]),
        ],
    )
    _table("Referred to the field, by rule", ("rule", "cases"), list(document["referrals"]["by_rule"].items()))
    plan = document["plan"]
    _table(
        f"Plans of {plan['days']} days",
        ("", ""),
        [
            ("visits planned", plan["visits"]),
            ("kilometres", plan["kilometres"]),
            *((f"left out: {reason}", count) for reason, count in plan["left_out"].items()),
        ],
    )
    if plan["illness"] is not None:
        _show_illness(plan["illness"])
    _table("Visits, by disposition", ("disposition", "visits"), list(document["visits"]["by_disposition"].items()))
    _table("Blocked, by rule", ("rule", "decisions"), list(document["visits"]["blocked_by_rule"].items()))
    _show_decisions(document["decisions"])
    _table("Promises", ("", "promises"), list(document["promises"].items()))
    for currency, money in document["money"].items():
        _table(f"Money, {currency}", ("", currency), list(money.items()))
    _table(
        "Trail",
        ("log", "entries", "root", ""),
        [
            (log["log"], log["size"], f"{log['root'][:16]}…", "verified" if log["verified"] else "WRONG")
            for log in document["trail"]
        ],
    )
    _table("Reconciled", ("", ""), [(name, "yes" if good else "NO") for name, good in document["checks"].items()])


def _show_illness(illness: dict[str, Any]) -> None:
    """What came of the day on which a team fell ill."""
    out.print(
        f"On {illness['day']} a team with {illness['visits_of_the_team']} visits fell ill; the day was planned again: "
        f"{illness['en']} {illness['zh']} Of the other teams' own visits, {illness['of_the_others']} changed team.",
        highlight=False,
    )
    for reason, left in illness["left_out"].items():
        out.print(f"  {left['count']} left out ({reason}), such as: {left['en']}", highlight=False)


def _show_decisions(decisions: dict[str, Any]) -> None:
    """A day's decisions by step and by rule, and one decision rule by rule, in English and Chinese."""
    taken = [(f"{each['step']}: {each['verdict']}", each["count"]) for each in decisions["by_step"]]
    rules = [(f"{each['rule_id']} ({each['step']}): {each['verdict']}", each["count"]) for each in decisions["by_rule"]]
    _table(f"Decisions of {decisions['day']}, by step and verdict", ("", "decisions"), taken)
    _table(f"Decisions of {decisions['day']} that a rule warned of or blocked", ("rule", "decisions"), rules)
    if decisions["example"] is not None:
        out.print("One decision in full", style="bold")
        show_decision(decisions["example"])


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=44)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int | float) else _grouped(str(cell)) for cell in row))
    out.print(table)


def _grouped(text: str) -> str:
    """Amounts with separators: 297721892 reads badly."""
    return f"{Decimal(text):,f}" if text.replace(".", "", 1).lstrip("-").isdigit() else text


def closing_words(document: dict[str, Any]) -> str:
    """What was done, in one sentence a newcomer understands."""
    accounts, promises = document["accounts"], document["promises"]
    completed = document["visits"]["completed"]
    verdict = "Everything reconciles and the trail verifies." if document["reconciled"] else "It does NOT reconcile."
    return (
        f"{accounts['received']:,} accounts came in, {accounts['rejected']:,} were refused with a reason; "
        f"{completed:,} visits were made, {promises['made']:,} promises given, {promises['kept']:,} kept and "
        f"{promises['broken']:,} broken. {verdict}"
    )
