"""The import rules can fail: a bad import of each kind is found and named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BAD = {
    "services/cases/holds/api.py": (
        "import services.visits.settings",
        "from services.cases.holds import tables",
    ),
    "services/cases/holds/domain.py": ("import sqlalchemy",),
    "services/cases/lenders/usecases.py": ("from services.cases.ledger import books",),
    "services/cases/holds/schemas.py": ("import sqlmodel",),
    "services/cases/holds/queries.py": ("import fastapi", "from services.cases.holds import api"),
    "services/followup/worker.py": ("import aiokafka", "import services.embedded"),
    "services/followup/caseload/usecases.py": ("from services.followup.promises import queries",),
    "services/visits/caseload/tables.py": ("from services.visits.caseload import usecases",),
    "services/visits/people/usecases.py": ("from services.visits.plans import domain",),
    "services/audit/tlog/merkle.py": ("import shared.database",),
    "services/audit/trail/storage.py": ("from services.audit.search import queries",),
    "shared/ids.py": ("import shared.bus.inbox",),
    "shared/money.py": ("import services.cases",),
}


def lint(root: Path) -> str:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    return done.stdout


def test_every_rule_is_broken_by_a_bad_import(tmp_path):
    for folder in ("services", "shared", "deploy"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    rules = [line.partition(" KEPT")[0] for line in lint(ROOT).splitlines() if " KEPT" in line]
    assert len(rules) >= 13
    for place, imports in BAD.items():
        file = tmp_path / place
        file.write_text(file.read_text() + "\n" + "\n".join(imports) + "\n")
    broken = lint(tmp_path)
    not_found = [rule for rule in rules if f"{rule} BROKEN" not in broken]
    assert not_found == []
