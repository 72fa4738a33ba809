"""Writes the generated pages of docs anew: `make docs`. With --check (in `make check`) it writes nothing, and ends
with 1 and a sentence for each page that differs and each change of an event that others would feel.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from docs import court
from docs.law_pages import law_pages
from docs.roles import roles_page
from services.audit.trail.subjects import SUBJECTS_OF
from services.cli.contracts import listeners
from services.embedded import PARTS
from shared.events.asyncapi import document
from shared.events.compatibility import problems
from shared.events.registry import EVENTS, TOPICS, owner_of
from shared.events.schemas import sample_of, schema_of
from shared.events.upcasters import major_of, name_of
from shared.settings import Settings

DOCS = Path(__file__).parent
SETTINGS_TABLE = DOCS / "settings.md"
SCHEMAS = DOCS / "events" / "schemas"
SETTINGS_HEAD = """# Settings

Environment variables; in development a `.env` in the working folder is read, too. The embedded form needs none.
This page is written by `make docs`.
"""
FIELDS_HEAD = "| field | type | | meaning |\n|---|---|---|---|"
EVENTS_HEAD = """# Events

What the services tell each other, and whoever else listens. Written by `make docs` from the registry in
`shared/events/`; the same as an AsyncAPI 3 document is [asyncapi.yaml](asyncapi.yaml), and each type has its JSON
schema and a sample under [schemas/](schemas).

## How to read them

- CloudEvents 1.0 in Kafka's binary mode: the headers `ce_…` say what happened, when and to what; the value is the data.
- The key is the case: messages of a case keep their order within a topic. No order is promised across topics.
- A message may come more than once. Handle each `ce_id` once.
- A field that has no value is absent, never null. Pass over fields and types that you do not know: new ones may come.
- No name, phone, address or free text is in any event. Ids are ours and random.
- History is kept for ever: a new reader may begin at the start.

## What may change

Within a major (`.v1`) only optional fields are added. `make check` fails on anything else, since `schemas/` holds what
was promised, for ever. To change more:

1. Leave the old class as it is and add the new one beside it, with the type `….v2`.
2. Give the old class its step to the new one in `shared/events/upcasters.py`. Handlers know the newest only; older
   events reach them through the step, on the bus as in a rebuild.
3. Deploy the readers first. A reader that meets a newer major than it knows parks the case's events, and
   `doorstep bus replay` runs them when it has been updated.
4. Then let the owner publish the new type, and run `make docs`.
"""


def settings_table() -> str:
    """All settings, those of every service first."""
    pages = [SETTINGS_HEAD, "## Every service\n", _table(Settings, set())]
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


def catalogue() -> str:
    """Every event in words."""
    heard = listeners()
    pages = [EVENTS_HEAD]
    for topic in TOPICS.values():
        pages.append(f"## {topic.name}\n\nPublished by {topic.owner}; partitions: {topic.partitions}.\n")
        pages += [
            _page(wire_type, heard[wire_type]) for wire_type, event in EVENTS.items() if event.topic == topic.name
        ]
    return "\n".join(pages)


def _page(wire_type: str, heard: list[str]) -> str:
    event = EVENTS[wire_type]
    schema = schema_of(event)
    rows = [_row(name, field, name in schema.get("required", [])) for name, field in schema["properties"].items()]
    sample = json.dumps(sample_of(event), indent=1, ensure_ascii=False)
    return "\n".join(
        [
            f"### {event.__name__}\n",
            f"`{wire_type}`\n",
            " ".join((event.__doc__ or "").split()) + "\n",
            f"Handled by: {', '.join(heard)}. The trail finds it by: {_found_by(wire_type)}.\n",
            FIELDS_HEAD,
            *rows,
            f"\n```json\n{sample}\n```\n",
        ]
    )


def _found_by(wire_type: str) -> str:
    """The subjects under which the trail keeps an event."""
    paths = SUBJECTS_OF[wire_type]
    return ", ".join(f"{kind} (`{'.'.join(path)}`)" for path, kind in paths.items()) or "who acted only"


def _values() -> list[str]:
    """What fields of several events hold."""
    found: dict[str, Any] = {}
    for event in EVENTS.values():
        found |= schema_of(event).get("$defs", {})
    pages = ["## Values\n"]
    for name, schema in sorted(found.items()):
        rows = [_row(key, field, key in schema.get("required", [])) for key, field in schema["properties"].items()]
        words = " ".join(schema["description"].split())
        pages.append("\n".join([f"### {name}\n", f"{words}\n", FIELDS_HEAD, *rows, ""]))
    return pages


def _row(name: str, field: dict[str, Any], required: bool) -> str:
    return f"| `{name}` | {_type(field)} | {'' if required else 'optional'} | {field.get('description', '')} |"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[-1])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    return str(field.get("format") or field.get("type", "any"))


def pages() -> dict[Path, str]:
    """Every generated file with what must be in it."""
    found = {
        SETTINGS_TABLE: settings_table(),
        DOCS / "roles.md": roles_page(),
        DOCS / "guides" / "what-a-court-asks.md": court.page(),
        DOCS / "events" / "asyncapi.yaml": asyncapi_yaml(),
        DOCS / "events" / "README.md": catalogue(),
    }
    for wire_type, event in EVENTS.items():
        golden = golden_of(wire_type)
        found[golden] = _json(schema_of(event))
        found[golden.with_suffix(".sample.json")] = _json(sample_of(event))
    found |= {DOCS.parent / "services" / name / "README.md": _events_of(name) for name in PARTS}
    return found | law_pages()


def _events_of(service: str) -> str:
    """The README of a service, with the events that it publishes and handles. audit handles every one and says so."""
    lines = (DOCS.parent / "services" / service / "README.md").read_text().splitlines()
    published = [event.__name__ for event in EVENTS.values() if owner_of(event) == service]
    handled = sorted(event.__name__ for event in PARTS[service].service.handles)
    lists = {"**Publishes**:": published} | ({"**Listens to**:": handled} if handled else {})
    for number, line in enumerate(lines):
        head = line.partition(":")[0] + ":"
        if head in lists:
            lines[number] = f"{head} {', '.join(lists[head])}."
    return "\n".join(lines) + "\n"


def asyncapi_yaml() -> str:
    return yaml.safe_dump(document(listeners()), sort_keys=False, allow_unicode=True, width=120)


def golden_of(wire_type: str) -> Path:
    """Where the schema of a type was promised."""
    return SCHEMAS / name_of(wire_type) / f"v{major_of(wire_type)}.json"


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def broken_promises() -> list[str]:
    """What in the events of today breaks what was promised of them."""
    found = []
    for golden in sorted(SCHEMAS.glob("*/v*.json")):
        if not golden.name.endswith(".sample.json"):
            wire_type = f"{golden.parent.name}.{golden.stem}"
            event = EVENTS.get(wire_type)
            found += problems(wire_type, json.loads(golden.read_text()), schema_of(event) if event else None)
    return found


def main(*, check: bool) -> int:
    wrong = broken_promises()
    if not wrong and check:
        stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
        wrong = [f"{path.relative_to(DOCS.parent)} is not what the code says: run `make docs`." for path in stale]
    elif not wrong:
        for path, text in pages().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"Wrote {len(pages())} pages under docs.")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
