"""The report of an export, a page of HTML that stands by itself and prints on A4. Its one rule: it is for reading only;
what proves anything are the entries beside it, so every line names its entry."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.audit.export.queries import Plan
from services.audit.export.words import WORDS
from services.audit.story.sentences import tell
from services.audit.story.words import Language, word
from services.audit.trail.entries import ACCESS

LANGUAGES: tuple[Language, ...] = ("zh", "en")
_pages = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Line:
    """What the report says of an entry: when by the clock of the place, what and who in each language."""

    log: str
    index: int
    order: tuple[str, str]
    day: str
    time: str
    what: dict[Language, str]
    who: dict[Language, str]
    gap: bool
    digest: str


def line_of(log: str, index: int, data: bytes, zone: ZoneInfo) -> Line:
    leaf = json.loads(data)
    actor, happened = leaf["actor"], datetime.fromisoformat(leaf["occurredAt"]).astimezone(zone)
    return Line(
        log=log,
        index=index,
        order=(leaf["occurredAt"], leaf["recordedAt"]),
        day=happened.strftime("%Y-%m-%d"),
        time=happened.strftime("%H:%M:%S"),
        what={language: tell(leaf["type"], leaf["data"], language, zone) for language in LANGUAGES},
        who={language: f"{word(actor['kind'], language)} {actor['ref']}" for language in LANGUAGES},
        gap=leaf["type"] == "trail.gap",
        digest=sha256(b"\0" + data).hexdigest(),
    )


def render(plan: Plan, lines: Sequence[Line], vkey: str, zone: ZoneInfo, language: Language) -> bytes:
    """The report in a language, as UTF-8."""
    told = sorted(lines, key=lambda line: (line.order, line.log, line.index))
    events = [line for line in told if line.log != ACCESS]
    readings = [line for line in told if line.log == ACCESS]
    text = _pages.get_template("report.html").render(
        words=WORDS[language],
        language=language,
        plan=plan,
        question=plan.question.to_json(),
        sections=[("events", events), ("readings", readings)] if plan.refs else [("events", lines)],
        gaps=any(line.gap for line in lines),
        zone=zone.key,
        made=WORDS[language]["made"].format(
            time=plan.made_at.astimezone(UTC).isoformat(sep=" ", timespec="seconds")[:-6]
        ),
        key_digest=sha256(vkey.encode()).hexdigest(),
        vkey=vkey,
    )
    return text.encode()
