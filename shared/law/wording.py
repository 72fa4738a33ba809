"""Errors of a schema in words that a lawyer understands: what is wrong with a field, and what is allowed."""

from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

FIELDS_SHOWN_MAX = 20
_PLAIN = {
    "missing": "is missing",
    "timezone_aware": "a time needs its zone, such as 2026-03-02T10:00:00+08:00",
    "date_from_datetime_parsing": "must be a date such as 2026-01-30",
    "date_parsing": "must be a date such as 2026-01-30",
    "datetime_from_date_parsing": "must be a time such as 2026-03-02T10:00:00+08:00",
    "datetime_parsing": "must be a time such as 2026-03-02T10:00:00+08:00",
    "time_parsing": "must be a time of day such as 08:00",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of fields",
    "model_type": "must be a mapping of fields",
    "dataclass_type": "must be a mapping of fields",
}


def what_is_wrong(found: ErrorDetails, form: type[BaseModel]) -> str:
    """What is wrong with a field of a form, without the words of programmers."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return f"is not known here; {_known(str(found['loc'][-1]), form)}"
    if kind in ("literal_error", "enum"):
        return f"{found['input']!r} is not allowed; allowed: {context['expected']}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return f"{found['input']!r} must be of the form {context['pattern']}"
    if kind == "string_too_short":
        return f"must have at least {context['min_length']} characters"
    shown = str(found["input"])[:40]
    if kind in _PLAIN:
        return _PLAIN[kind] + ("" if kind == "missing" else f"; found {shown!r}")
    return f"{found['msg'].replace('Input should', 'must').replace('must be be', 'must be')}; found {shown!r}"


def _known(name: str, form: type[BaseModel]) -> str:
    """What could have been meant: the nearest field of a long form, all fields of a short one."""
    known = [each.alias or field for field, each in form.model_fields.items()]
    near = get_close_matches(name, known, n=1)
    if near and len(known) > FIELDS_SHOWN_MAX:
        return f"perhaps {near[0]} is meant"
    return f"there are: {', '.join(known) or 'no fields'}"
