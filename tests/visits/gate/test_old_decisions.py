"""A decision that release ec494f3 stored, with the packs that it kept: the service runs it again the same."""

import json
from pathlib import Path

import pytest

from services.visits.gate.tables import DecisionRow, KeptPackRow
from shared.ids import new_id
from shared.law import load_packs, read_pack

STORED = json.loads(Path("tests/shared/law/decisions_of_ec494f3.json").read_text())


@pytest.mark.dialect
async def test_decisions_of_the_last_release_run_again_by_the_texts_that_were_kept(system):
    assert STORED["packs"]["house"] != load_packs()["house"].text
    ids = []
    async with system.runtime.database.transaction() as tx:
        for name, text in STORED["packs"].items():
            digest = read_pack(f"{name}.yaml", text.encode()).digest
            tx.session.add(KeptPackRow(digest=digest, pack=name, yaml=text))
        for stored in STORED["decisions"]:
            ids.append(new_id())
            row = {name: stored[name] for name in ("step", "verdict", "facts", "decision", "digest")}
            tx.session.add(DecisionRow(id=ids[-1], case_id=new_id(), decided_at=tx.now, version=0, **row))
    for decision_id in ids:
        again = await system.post(f"/decisions/{decision_id}/replay")
        assert again["same"], again
