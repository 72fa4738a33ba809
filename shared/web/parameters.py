"""The parameters of a request's address. Each one is known to its route and holds text that a database can store; one
that takes a single value is sent once. A misspelt filter is an error: without it a list would show everything.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant

from shared.bodies import malformed, shown_name
from shared.text import storable

PARAMETERS_MAX = 100
_MANY = (list, set, frozenset, tuple)


def parameters_of(dependant: Dependant) -> dict[str, bool]:
    """The names of a route's query parameters, and whether each takes several values."""
    known = {field.alias: _takes_many(field.field_info.annotation) for field in dependant.query_params}
    for child in dependant.dependencies:
        known |= parameters_of(child)
    return known


def _takes_many(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(map(_takes_many, get_args(annotation)))
    return (origin or annotation) in _MANY


def check_parameters(request: Request, known: Mapping[str, bool]) -> None:
    """Raises Invalid, naming each parameter that is unknown, doubled, or no text."""
    wrong = [_place("path", name, _not_text()) for name, value in request.path_params.items() if not _is_text(value)]
    query: bytes = request.scope["query_string"]
    if query:
        wrong += _wrong_in(query, known)
    if wrong:
        raise malformed(wrong)


def _wrong_in(query: bytes, known: Mapping[str, bool]) -> list[dict[str, str]]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except ValueError:  # a UnicodeDecodeError, too
        what = f"At most {PARAMETERS_MAX} parameters in UTF-8 are read, other characters as %XX"
        return [{"where": "query", "what": what}]
    names = [name for name, _ in pairs]
    wrong = [_place("query", name, _unknown(known)) for name in dict.fromkeys(names) if name not in known]
    for name, several in known.items():
        if not several and names.count(name) > 1:
            wrong.append(_place("query", name, "This parameter takes one value: send it once"))
    wrong += [_place("query", name, _not_text()) for name, value in pairs if name in known and not _is_text(value)]
    return wrong


def _place(kind: str, name: str, what: str) -> dict[str, str]:
    return {"where": f"{kind}.{shown_name(name)}", "what": what}


def _unknown(known: Mapping[str, bool]) -> str:
    if not known:
        return "This route takes no parameters: leave it out"
    return f"This route has no such parameter: leave it out, or write one of {', '.join(sorted(known))}"


def _is_text(value: object) -> bool:
    return not isinstance(value, str) or storable(value)


def _not_text() -> str:
    return "A text has no NUL and no half of a surrogate pair: leave the character out"
