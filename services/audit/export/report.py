"""The report of an export, a page of HTML that stands by itself and prints on A4. Its one rule: it is for reading only;
what proves anything are the entries beside it, so every line names its entry."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.audit.export.queries import Plan
from services.audit.export.words import WORDS
from services.audit.trail.entries import ACCESS

LANGUAGES = tuple(WORDS)
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Line:
    """What the report says of an entry."""

    log: str
    index: int
    occurred_at: str
    recorded_at: str
    actor: str
    outcome: str
    gap: bool
    texts: dict[str, str]
    digest: str


def line_of(log: str, index: int, data: bytes) -> Line:
    leaf = json.loads(data)
    return Line(
        log=log,
        index=index,
        occurred_at=_moment(leaf["occurredAt"]),
        recorded_at=_moment(leaf["recordedAt"]),
        actor=f"{leaf['actor']['kind']} {leaf['actor']['ref']}",
        outcome=leaf["outcome"],
        gap=leaf["type"] == "trail.gap",
        texts=dict.fromkeys(LANGUAGES, leaf["action"]),
        digest=sha256(b"\0" + data).hexdigest(),
    )


def render(plan: Plan, lines: Sequence[Line], vkey: str, language: str) -> bytes:
    """The report in a language, as UTF-8."""
    page = _pages.get_template("report.html")
    events = sorted((line for line in lines if line.log != ACCESS), key=_in_time)
    readings = sorted((line for line in lines if line.log == ACCESS), key=_in_time)
    text = page.render(
        words=WORDS[language],
        language=language,
        plan=plan,
        question=plan.question.to_json(),
        sections=[("events", events), ("readings", readings)] if plan.refs else [("events", lines)],
        gaps=any(line.gap for line in lines),
        key_digest=sha256(vkey.encode()).hexdigest(),
        vkey=vkey,
    )
    return text.encode()


def _in_time(line: Line) -> tuple[str, str, int]:
    return line.occurred_at, line.log, line.index


def _moment(text: str) -> str:
    """To the second, in UTC."""
    return f"{text[:10]} {text[11:19]}"
