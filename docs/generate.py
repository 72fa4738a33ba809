"""Writes the generated pages of docs anew: `make docs`. A test fails where they differ from the code."""

from pathlib import Path

from services.embedded import PARTS
from shared.settings import Settings

SETTINGS_TABLE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

Environment variables; in development a `.env` in the working folder is read, too. The embedded form needs none.
This page is written by `make docs`.
"""


def settings_table() -> str:
    """All settings, those of every service first."""
    pages = [HEAD, "## Every service\n", _table(Settings, set())]
    for name, part in PARTS.items():
        pages += [f"\n## {name}\n", _table(part.settings, set(Settings.model_fields))]
    return "\n".join(pages)


def _table(settings: type[Settings], known: set[str]) -> str:
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        if name not in known:
            default = "" if field.default is None else f"`{field.default}`"
            rows.append(f"| `DOORSTEP_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    SETTINGS_TABLE.write_text(settings_table())
    print(f"wrote {SETTINGS_TABLE.name}")
