"""A marker in every cell of a lender's file, in a column that the profile does not name, and in the header: none leaves
the database of cases, and none of those that are personal stands in it in the clear."""

import asyncio
import csv
import io
import json

from services.cases.app import create_app
from services.cases.lenders.profile import FIELDS
from services.cases.placements.jobs import PLACEMENTS
from services.cases.settings import CasesSettings
from services.cases.worker import SERVICE
from shared.auth import Role
from shared.job_runner import run_next
from shared.runtime import Runtime
from tests.actors.samples import PROFILE
from tests.cases.conftest import NOON, System
from tests.databases import migrated
from tests.one_service import LENDER, client_of
from tests.planted.markers import Markers
from tests.planted.watch import Problems, log_lines, published, raw, stored_errors, trail_of

SOUND = {
    "account_ref": "A-1", "balance": "250000", "currency": "TWD", "days_past_due": "60", "months_past_due": "2",
    "last_payment_on": "2026-01-15", "latitude": "25.03", "longitude": "121.56", "country": "TW", "region": "TPE",
    "product": "CREDIT_CARD",
}  # fmt: skip
FREE = ("debtor_ref", "name", "national_id", "phone", "language", "address", "district")
SEALED = {"debtor_ref", "name", "national_id", "phone", "language", "address", "district", "(unmapped)", "(third)"}


def rows_of(markers, fields):
    """One sound row with a marker in each free cell, and for each field a row with a marker in that cell."""
    rows = []
    for number, planted in enumerate(["", *fields]):
        row = {field: SOUND.get(field, "") for field in fields} | {"account_ref": f"A-{number}"}
        row |= {field: markers.text(field) for field in FREE} | {"phone": markers.phone("phone")}
        row["(unmapped)"] = markers.text("(unmapped)")
        if planted:
            row[planted] = markers.text(planted)
        if planted == "account_ref":
            row[planted] = markers.word(planted)  # the one that may stand in a table of its own
        rows.append(row)
    rows.append(rows[0] | {"account_ref": "A-90", "(third)": markers.text("(third)")})
    return rows


def files_of(rows, header):
    """The rows in each form, those of JSON with other accounts."""
    names = [*rows[0], "(third)", header]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    torn = text.getvalue() + '"' + rows[0]["name"]
    other = [row | {"account_ref": row["account_ref"] + "j", header: rows[0]["name"]} for row in rows]
    lines = "\n".join(json.dumps(row) for row in other) + "\n" + rows[0]["name"]
    whole = json.dumps({"rows": [*({**row, "account_ref": row["account_ref"] + "k"} for row in rows), rows[0]["name"]]})
    files = {"text/csv": torn, "application/x-ndjson": lines, "application/json": whole}
    word = rows[0]["name"].split()[0]
    return files, [("text/csv", word), ("application/json", word), (f"{word}/x", "x")]


async def test_a_value_in_a_cell_goes_nowhere(tmp_path):
    data, trail = tmp_path / "data", tmp_path / "trail"
    settings = await asyncio.to_thread(migrated, CasesSettings(data_dir=data, clock=NOON), SERVICE)
    markers = Markers()
    words = {"product": {markers.text("a word of the profile"): "PERSONAL_LOAN"}}
    shared = PROFILE | {"codes": words, "third_party_columns": ["(third)"]}
    ages = ("days_past_due", "months_past_due")  # the first file says days, the others months
    runtime = Runtime(SERVICE, settings)
    with log_lines() as log:
        async with client_of(create_app(runtime)) as client:
            system, problems = System(runtime, client), Problems(client)
            await system.post("/lenders", {"id": LENDER, "name": LENDER}, 201, Role.ADMIN)
            headers = system.bearer(Role.LENDER)
            path = f"/cases/v1/lenders/{LENDER}/profile"
            files, refused = files_of(rows_of(markers, FIELDS), markers.text("(header)"))
            placements = []
            for number, (media_type, content) in enumerate([*files.items(), *refused]):
                profile = shared | {"columns": {name: name for name in FIELDS if name != ages[number == 0]}}
                assert (await client.put(path, json=profile, headers=headers)).status_code == 200
                answer = await client.post(
                    "/cases/v1/placements", content=content.encode(), headers=headers | {"Content-Type": media_type}
                )
                if answer.status_code == 202:
                    placements.append(answer.headers["location"].removeprefix("/cases/v1"))
            while await run_next(runtime, PLACEMENTS):
                pass
            shown = [await system.get(place, role=Role.LENDER) for place in placements]
            errors = [await system.get(f"{place}/errors", role=Role.LENDER, limit=200) for place in placements]
            metrics = (await client.get("/metrics")).text
            records = await published(runtime)
    assert [each["status"] for each in shown] == ["DONE", "DONE", "DONE", "REFUSED", "REFUSED"]
    taken, turned_down = shown[0]["accepted"], {each["field"] for page in errors for each in page["items"]}
    assert taken >= 1 + len(FREE)  # what may be anything is taken as it is
    assert {
        "balance",
        "currency",
        *ages,
        "latitude",
        "longitude",
        "country",
        "region",
        "product",
        "(row)",
    } <= turned_down
    leaves = await trail_of(records, trail)
    outside = {
        "events": [each.value + json.dumps(dict(each.headers)).encode() for each in records],
        "the trail": [leaves],
        "the log": [log.getvalue()],
        "metrics": [metrics],
        "problems": problems.texts,
        "stored errors": stored_errors(data / "cases.sqlite3"),
        "errors shown": [json.dumps([shown, errors])],
    }
    assert all(any(texts) for name, texts in outside.items()), "nothing was looked at"
    assert {name: markers.found_in(*texts) for name, texts in outside.items()} == {name: set() for name in outside}
    assert markers.found_in(raw(data)) & SEALED == set()
    assert markers.found_in(raw(data)) == {"account_ref", "a word of the profile"}
