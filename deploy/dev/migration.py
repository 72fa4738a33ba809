"""`make migration SERVICE=cases WHAT="holds know their day"` writes a migration: what differs between the tables in
code and those of the newest migration, on SQLite. Read it before use; tests try it on PostgreSQL."""

import sys
import tempfile
from pathlib import Path

from services.embedded import PARTS
from shared import migrations


def main(service: str = "", *what: str) -> int:
    if service not in PARTS or not what:
        print(f'make migration SERVICE={"|".join(PARTS)} WHAT="what changes, in a few words"', file=sys.stderr)
        return 2
    history = PARTS[service].service.migrations
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'newest.sqlite3'}"
        migrations.upgrade(history, url)
        before = set((history / "versions").iterdir())
        migrations.draft(history, url, " ".join(what))
    for path in sorted(set((history / "versions").iterdir()) - before):
        print(f"Wrote {path}. Read it, run `make format`, and try it: pytest tests/test_migrations.py")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
