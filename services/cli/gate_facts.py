"""The facts of a visit or call in a file, for `doorstep gate --visit`. A value that would be judged by the wrong law or
on the wrong day is refused in words: the gate itself also reads stored facts, and takes more."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.bodies import names_nothing
from shared.cli.documents import document_of
from shared.cli.output import Exit, fail
from shared.law import COUNTRIES, Facts, Law, Step, completed, is_mistyped, laws_of, may_be_law_of
from shared.law.rules import GROUNDS
from shared.law.wording import what_is_wrong

SAMPLE = (
    "a visit is a mapping of facts: jurisdiction, at (a time with its zone), country … and step (DISPATCH if left out)"
)


def facts_in(file: Path, law: Law) -> tuple[Step, Facts]:
    """The step and the facts in a file. Ends the command where they cannot be used."""
    document = document_of(file)
    if not isinstance(document, dict):
        fail(Exit.USAGE, f"{file.name}: {SAMPLE}.")
    stated = dict(document)
    step = stated.pop("step", Step.DISPATCH.value)
    if step not in [each.value for each in Step]:
        _refuse(file, [f"field step: {step!r} is not allowed; allowed: {', '.join(Step)}"])
    _refuse(file, _misspelt(stated))
    if stated.get("jurisdiction") is None and isinstance(stated.get("country"), str):
        stated["jurisdiction"] = laws_of(stated["country"], None)[0]
    try:
        facts = Facts.model_validate(stated)
    except ValidationError as error:
        wrong = [f"field {path_of(each['loc'])}: {what_is_wrong(each, Facts)}" for each in error.errors()]
        fail(Exit.USAGE, _lines(file, wrong))
    _refuse(file, [*_out_of_place(facts, law), *_mistyped(facts), *_unproved(facts)])
    return Step(step), completed(facts)


def path_of(where: tuple[int | str, ...]) -> str:
    return ".".join(map(str, where))


def _refuse(file: Path, wrong: list[str]) -> None:
    if wrong:
        fail(Exit.USAGE, _lines(file, wrong))


def _lines(file: Path, wrong: list[str]) -> str:
    return "\n".join(f"{file.name}: {each}" for each in wrong)


def _misspelt(stated: dict[str, Any]) -> list[str]:
    """A name that is spelt otherwise would be taken for another place, or for a consent to nothing."""
    place, country, consents = stated.get("jurisdiction"), stated.get("country"), stated.get("consents")
    wrong = []
    if isinstance(place, str) and place.strip() and place != place.strip().lower():
        wrong.append(f"field jurisdiction: {place!r} is spelt {place.strip().lower()!r}")
    if isinstance(country, str) and country.strip() and country != country.strip().upper():
        wrong.append(f"field country: {country!r} is spelt {country.strip().upper()!r}")
    grants = [each.get("scope") for each in _mappings(stated.get("grants"))]
    for name in [*(consents if isinstance(consents, dict) else ()), *(each for each in grants if each is not None)]:
        if name not in GROUNDS:
            wrong.append(f"field consents: {name!r} is not known; there are {', '.join(GROUNDS)}")
    return wrong


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _out_of_place(facts: Facts, law: Law) -> list[str]:
    """A jurisdiction that is unknown, or that is not that of the country."""
    stated = facts.jurisdiction
    if facts.country is not None and facts.country not in COUNTRIES:
        return [f"field country: {facts.country!r} is no country of ISO 3166-1; the United Kingdom is 'GB'"]
    if not law.knows(stated):
        packs = ", ".join(law.jurisdictions)
        return [f"field jurisdiction: {stated!r} is no pack ({packs}) and no country, such as fr or us-ny"]
    if facts.country is None or may_be_law_of(stated, facts.country, facts.region):
        return []
    laws = " or ".join(laws_of(facts.country, facts.region))
    return [f"field jurisdiction: {stated!r} is no law of {facts.country}; there is {laws}"]


def _mistyped(facts: Facts) -> list[str]:
    days = (path for path, value in _values(facts, ()) if isinstance(value, date) and is_mistyped(value))
    return [f"field {path_of(path)}: the year must be 2000 or later: correct the date" for path in days]


def _unproved(facts: Facts) -> list[str]:
    """Consents and grounds without evidence."""
    stated = [(f"consents.{name}", evidence) for name, evidence in facts.consents.items()]
    stated += [(f"grants.{number}.evidence", each.evidence) for number, each in enumerate(facts.grants)]
    return [
        f"field {path}: name the evidence: its id or its SHA-256"
        for path, evidence in stated
        if names_nothing(evidence)
    ]


def _values(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Each plain value in a model, with where it is."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _values(each, (*path, str(name)))
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from _values(each, (*path, number))
    else:
        yield path, value
