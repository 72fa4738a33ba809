"""A lender's files and lines in few words, for tests of what a case owes."""

from typing import Any
from uuid import UUID

from shared.auth import Role
from shared.events.values import Amount
from shared.events.visits import CashReceived
from shared.ids import new_id
from shared.money import Money
from tests.actors.samples import PROFILE
from tests.cases.conftest import System

COLUMNS = {"account_ref": "account", "debtor_ref": "debtor", "balance": "balance", "days_past_due": "days"}


async def send(system: System, *rows: str, head: str = "account,debtor,balance,days", **query: Any) -> dict[str, Any]:
    return await system.get(await system.take_in(content_of(head, *rows), **query))


def content_of(*lines: str) -> bytes:
    return "\n".join([*lines, ""]).encode()


async def register(system: System, **profile: Any) -> None:
    await system.register(PROFILE | {"columns": COLUMNS} | profile)


def line(reference: str, amount: str, account: str = "A-1", **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": "TWD"}
    return {"reference": reference, "account_ref": account, "amount": money, "received_on": "2026-03-02"} | more


async def report(system: System, *lines: dict[str, Any]) -> list[str]:
    items = (await system.post("/payments", {"payments": list(lines)}, role=Role.LENDER))["items"]
    return [each["code"] or each["result"] for each in items]


async def owed(system: System) -> tuple[str, str, str]:
    """What the one case owes, is overpaid, and is asked."""
    [case] = (await system.get("/cases"))["items"]
    return case["balance"]["amount"], case["overpaid"]["amount"], case["asked"]["amount"]


def taken(case_id: str, amount: str, receipt: str = "C-1") -> CashReceived:
    """Cash of the door, taken on the day of the tests."""
    money = Amount.of(Money.parse(amount, "TWD"))
    return CashReceived(
        case_id=UUID(case_id), visit_id=new_id(), receipt_number=receipt, amount=money, received_on="2026-03-02"
    )
