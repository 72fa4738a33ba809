"""The product of a row is a code, or a word of the lender that the profile maps to a code. Text stops there."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import text

from services.cases.worker import SERVICE
from shared import migrations
from shared.auth import Role
from shared.events.cases import CaseOpened
from shared.events.values import product_or_other
from tests.actors.samples import PROFILE
from tests.one_service import LENDER

MAPPED = PROFILE | {
    "columns": {"account_ref": "account", "balance": "balance", "days_past_due": "days", "product": "product"},
    "codes": {"product": {"信用卡": "CREDIT_CARD", "PL": "PERSONAL_LOAN"}},
}


async def placed(system, *products):
    """Rows with these cells. Returns the products of the cases, and the refused rows."""
    await system.register(MAPPED)
    lines = ["account,balance,days,product", *(f"A-{n},250000,60,{cell}" for n, cell in enumerate(products)), ""]
    placement = await system.take_in("\n".join(lines).encode())
    errors = await system.get(f"{placement}/errors", role=Role.LENDER)
    cases = (await system.get("/cases"))["items"]
    return {case["accounts"][0]["account_ref"]: case["product"] for case in cases}, errors["items"]


async def test_a_cell_is_a_code_or_a_word_of_the_table(system):
    free = ("王小明 0912345678", "credit_card", "A", "信用")
    found, errors = await placed(system, "信用卡", " PL ", "MORTGAGE", "", *free)
    assert found == {"A-0": "CREDIT_CARD", "A-1": "PERSONAL_LOAN", "A-2": "MORTGAGE", "A-3": "CREDIT_CARD"}
    assert [(each["line"], each["field"], each["code"]) for each in errors] == [
        (line, "product", "product-unknown") for line in (6, 7, 8, 9)
    ]
    assert {each["message"] for each in errors} == {
        "A code such as CREDIT_CARD is needed, or a word that `codes.product` of the profile maps to a code."
    }


@pytest.mark.parametrize("table", [{"product": {"卡": "王小明"}}, {"product": {"": "CARD"}}, {"region": {"北": "TPE"}}])
async def test_a_table_maps_to_codes_alone(system, table):
    await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
    answer = await system.client.put(
        f"/cases/v1/lenders/{LENDER}/profile", json=MAPPED | {"codes": table}, headers=system.bearer(Role.LENDER)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"].startswith("codes.")
    assert "王小明" not in answer.text


async def test_a_profile_that_comes_again_is_the_same_version(system):
    await placed(system, "PL")
    again = await system.client.put(
        f"/cases/v1/lenders/{LENDER}/profile", json=MAPPED, headers=system.bearer(Role.LENDER)
    )
    assert again.json()["version"] == 1


def test_an_event_of_an_earlier_release_gives_no_text_away():
    sample = CaseOpened.model_fields["product"]
    assert sample.annotation is str
    assert [product_or_other(text) for text in ("CREDIT_CARD", "王小明", "Card", "X" * 41, 7)] == [
        "CREDIT_CARD", "OTHER", "OTHER", "OTHER", 7,
    ]  # fmt: skip


@pytest.mark.dialect
async def test_products_of_the_last_release_become_codes(system, settings):
    """A case whose product is a cell of a file, as the last release stored it."""
    await placed(system, "PL", "MORTGAGE")
    async with system.runtime.database.transaction() as tx:
        await tx.session.execute(text("UPDATE case_file SET product = '王小明' WHERE product = 'PERSONAL_LOAN'"))
        await tx.session.execute(text("UPDATE subject_key SET kek_id = 'before'"))  # so that the migration goes back
        await tx.session.execute(text("UPDATE account SET product = '王小明' WHERE product = 'PERSONAL_LOAN'"))
    url = settings.database_url_of("cases")
    await asyncio.to_thread(command.downgrade, migrations.config_of(SERVICE.migrations, url), "0006")
    await asyncio.to_thread(migrations.upgrade, SERVICE.migrations, url)
    found = {case["product"]: case["accounts"][0]["product"] for case in (await system.get("/cases"))["items"]}
    assert found == {"OTHER": "OTHER", "MORTGAGE": "MORTGAGE"}
