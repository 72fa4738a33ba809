"""A room writes its own tables only. Run by `make check`: `python -m checks.row_owners`.

It finds, in the syntax tree of each module, where a row of another room is constructed, added, inserted, updated,
deleted or assigned to. It knows types by annotations only (`checks/row_types.py`). So it cannot see a write by way of
`Any`, of a callable or a table that is handed over, or of SQL whose verb and table are put together at run time.
`publish` counts up the version of its aggregate: that is the transaction's work, not the room's.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.row_debts import DEBTS, Debt, Write
from checks.row_types import Kind, Kinds, Names, Types, elements
from checks.source import Class, Function, Module, Source, constant, own_nodes, read

ROOT = Path(__file__).parents[1]
STATEMENTS = {"insert": "inserts", "update": "updates", "delete": "deletes"}
BULK = {"insert_rows": "inserts", "upsert_rows": "inserts"}
SESSION = {"add": "adds", "add_all": "adds", "merge": "adds", "delete": "deletes"}
CHANGING = {"append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard"}
_SQL = re.compile(r"\b(insert(?=\s+into)|update(?=\s+\w+\s+set\b)|delete(?=\s+from))\s+(?:into\s+|from\s+)?(\w+)", re.I)


@dataclass(frozen=True, slots=True)
class Found:
    write: Write
    owner: str
    path: Path
    line: int


def foreign_writes(root: Path, package: str = "services") -> list[Found]:
    """Where a module writes a row of another room, in the order of modules and lines."""
    source = read(root, package)
    return [found for module in source.modules for found in _Reader(source, module).found()]


class _Reader:
    """Reads one module."""

    def __init__(self, source: Source, module: Module) -> None:
        self.source = source
        self.module = module
        self.types = Types(source, module)

    def found(self) -> Iterator[Found]:
        yield from self._in_scope(self.module.tree, self.module.name, None, {})

    def _in_scope(self, scope: ast.AST, place: str, owner: Class | None, outer: Names) -> Iterator[Found]:
        """The writes of a module, a class or a function, and of those in it, each by its own names."""
        nodes = list(own_nodes(scope))
        names = self.types.names_in(scope, nodes, owner, outer)
        for node in nodes:
            if isinstance(node, Function | ast.ClassDef):
                inner = f"{place}.{node.name}"
                yield from self._in_scope(
                    node, inner, self.source.classes.get(inner if _is_class(node) else place), names
                )
                continue
            for row, how, attribute in self._writes(node, names):
                room = self.source.owner(row)
                if room is not None and room != self.module.room:
                    write = Write(place, row.rpartition(".")[2], how, attribute)
                    yield Found(write, room, self.module.path, getattr(node, "lineno", 0))

    def _writes(self, node: ast.AST, names: Names) -> Iterator[tuple[str, str, str]]:
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                yield from (each for target in targets for each in self._assigned(target, names))
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target) | ast.For(target=target):
                yield from self._assigned(target, names)
            case ast.Call():
                yield from self._called(node, names)
            case ast.Constant(value=str() as text):
                yield from self._in_sql(text)

    def _assigned(self, target: ast.expr, names: Names) -> Iterator[tuple[str, str, str]]:
        if isinstance(target, ast.Tuple | ast.List):
            for each in target.elts:
                yield from self._assigned(each, names)
            return
        while isinstance(target, ast.Subscript | ast.Starred):
            target = target.value
        if isinstance(target, ast.Attribute):
            yield from ((row, "assigns", target.attr) for row in _rows(self.types.of(target.value, names)))

    def _called(self, node: ast.Call, names: Names) -> Iterator[tuple[str, str, str]]:
        name = self.types.full_name(node.func)
        last = name.rpartition(".")[2]
        if name in self.source.classes:
            yield name, "constructs", ""
        elif last == "setattr" and len(node.args) > 1:
            yield from ((row, "assigns", _text(node.args[1])) for row in _rows(self.types.of(node.args[0], names)))
        elif last in STATEMENTS and node.args and name.startswith("sqlalchemy."):
            yield from ((row, STATEMENTS[last], "") for row in _classes(self.types.of(node.args[0], names)))
        elif last in BULK and len(node.args) > 1:
            yield from ((row, BULK[last], "") for row in _classes(self.types.of(node.args[1], names)))
        elif isinstance(node.func, ast.Attribute):
            yield from self._method_called(node, node.func, names)

    def _method_called(self, node: ast.Call, method: ast.Attribute, names: Names) -> Iterator[tuple[str, str, str]]:
        base = self.types.of(method.value, names)
        if method.attr in STATEMENTS and not node.args:  # TABLE.insert()
            yield from ((row, STATEMENTS[method.attr], "") for row in _classes(base))
        if method.attr in SESSION and node.args and _is_session(method.value):
            given = self.types.of(node.args[0], names)
            yield from ((row, SESSION[method.attr], "") for row in _rows(given) | _rows(elements(given)))
        if method.attr in CHANGING and isinstance(method.value, ast.Attribute):
            yield from self._assigned(method.value, names)
        changed = (row for row in _rows(base) if self._changes(row, method.attr))
        yield from ((row, "assigns", f"{method.attr}()") for row in changed)
        made = _rows(self.types.of(node, names))
        yield from ((row, "constructs", "") for row in made if row in _classes(base) or method.attr == "model_copy")

    def _changes(self, row: str, method: str) -> bool:
        return method == "sqlmodel_update" or method in getattr(self.source.classes.get(row), "changing", ())

    def _in_sql(self, text: str) -> Iterator[tuple[str, str, str]]:
        for verb, table in _SQL.findall(text):
            row = self.source.by_table.get(table)
            if row is not None:
                yield row, STATEMENTS[verb.lower()], ""


def _is_class(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


def _is_session(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] == "session"


def _text(node: ast.expr) -> str:
    value = constant(node)
    return value if isinstance(value, str) else "(computed)"


def _rows(kinds: Kinds) -> set[str]:
    return {kind.name for kind in kinds if kind.name != "type"}


def _classes(kinds: Kinds) -> set[str]:
    return {each.name for kind in kinds if kind.name == "type" for each in _only(kind)}


def _only(kind: Kind) -> Kinds:
    return kind.args[0]


def problems(found: Sequence[Found], debts: Sequence[Debt]) -> list[str]:
    """A sentence for each write that no debt allows, and for each debt that is paid or listed twice."""
    owed = {debt.write: debt for debt in debts}
    said = []
    for each in found:
        if each.write not in owed:
            said.append(
                f"{each.path}:{each.line}: {each.write}. Only the room {each.owner} writes its tables: "
                "call one of its use cases, or add one there."
            )
    seen = {each.write for each in found}
    said += [f"checks/row_debts.py: take off a debt that is paid: {write}." for write in owed if write not in seen]
    if len(owed) < len(debts):
        said.append("checks/row_debts.py lists a debt twice.")
    return said


def main() -> int:
    said = problems(foreign_writes(ROOT), DEBTS)
    for sentence in said:
        print(sentence, file=sys.stderr)
    if not said:
        print(f"Checked: each room writes its own tables only ({len(DEBTS)} known debts).")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
