"""Sums of integers that cannot overflow. SQLite's sum() fails beyond 64 bits, PostgreSQL's is a numeric: both give an
exact int here."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

_PART = 10**9  # a sum of 9 billion rows of either part fits into 64 bits


class _ExactInt(TypeDecorator[int]):
    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | Decimal | int | None, dialect: Dialect) -> int:
        if isinstance(value, str):
            high, low = value.split("|")
            return int(high) * _PART + int(low)
        return int(value or 0)


class exact_sum(FunctionElement[int]):
    """`exact_sum(column)`: the sum of a column of integers, 0 of no rows."""

    type = _ExactInt()
    inherit_cache = True
    name = "exact_sum"


@compiles(exact_sum)
def _plain(element: exact_sum, compiler: SQLCompiler, **options: Any) -> str:
    return f"sum({compiler.process(element.clauses, **options)})"


@compiles(exact_sum, "sqlite")
def _in_two_parts(element: exact_sum, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"(sum({column} / {_PART}) || '|' || sum({column} % {_PART}))"
