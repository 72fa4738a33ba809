"""The modules of a source tree, read but never imported: names, classes and functions, each by its full name."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Class:
    """A class: the annotations of its fields, its methods, and those of them that change it. `table` is the name of its
    table, if it is a row's."""

    name: str
    module: "Module"
    fields: dict[str, ast.expr] = field(default_factory=dict)
    methods: dict[str, Function] = field(default_factory=dict)
    changing: set[str] = field(default_factory=set)
    table: str | None = None


@dataclass(slots=True)
class Module:
    name: str
    path: Path
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)

    @property
    def room(self) -> str:
        """The package that owns what the module defines: service and noun."""
        return ".".join(self.name.split(".")[:3])


@dataclass(slots=True)
class Source:
    """All that is defined, by full name. `tables` are those of SQLAlchemy Core; `by_table` finds a row's class or such
    a table by the name that the database knows."""

    modules: list[Module] = field(default_factory=list)
    classes: dict[str, Class] = field(default_factory=dict)
    functions: dict[str, tuple[Module, Function]] = field(default_factory=dict)
    tables: dict[str, Module] = field(default_factory=dict)
    by_table: dict[str, str] = field(default_factory=dict)

    def owner(self, row: str) -> str | None:
        """The room of a row's class or of a table; None for any other name."""
        found = self.classes.get(row)
        if found is not None:
            return found.module.room if found.table else None
        return self.tables[row].room if row in self.tables else None


def read(root: Path, package: str) -> Source:
    """The source of a package under a root. Migrations are left out: each changes all tables of its service."""
    source = Source()
    for path in sorted((root / package).rglob("*.py")):
        if "migrations" in path.parts:
            continue
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        module = Module(name, path.relative_to(root), ast.parse(path.read_text(), str(path)))
        source.modules.append(module)
        _index(source, module)
    return source


def _index(source: Source, module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= dict(_imported(node))
    for node in module.tree.body:
        name = f"{module.name}.{getattr(node, 'name', '')}"
        if isinstance(node, Function):
            source.functions[name] = (module, node)
        elif isinstance(node, ast.ClassDef):
            source.classes[name] = found = _class(name, module, node)
            if found.table:
                source.by_table[found.table] = name
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            _index_table(source, module, node.targets[0], node.value)


def _index_table(source: Source, module: Module, target: ast.expr, call: ast.Call) -> None:
    if isinstance(target, ast.Name) and ast.unparse(call.func).rpartition(".")[2] == "Table" and call.args:
        name = f"{module.name}.{target.id}"
        source.tables[name] = module
        source.by_table[str(constant(call.args[0]))] = name


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for each in node.names:
        if isinstance(node, ast.ImportFrom):
            yield each.asname or each.name, f"{node.module}.{each.name}"
        elif each.asname:
            yield each.asname, each.name
        else:
            top = each.name.partition(".")[0]
            yield top, top


def _class(name: str, module: Module, node: ast.ClassDef) -> Class:
    found = Class(name, module)
    is_row = any(each.arg == "table" and constant(each.value) is True for each in node.keywords)
    if is_row:
        found.table = node.name
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found.fields[each.target.id] = each.annotation
        elif isinstance(each, Function):
            found.methods[each.name] = each
            found.fields |= _annotated_on_self(each)
            if any(_is_of_self(node) and isinstance(node.ctx, ast.Store) for node in ast.walk(each)):
                found.changing.add(each.name)
        elif is_row and isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__tablename__":
            found.table = str(constant(each.value))
    return found


def _annotated_on_self(method: Function) -> dict[str, ast.expr]:
    """The attributes that a method gives to `self`: annotated ones, and those that are an annotated argument."""
    known = annotations_of(method)
    found = {}
    for node in ast.walk(method):
        if isinstance(node, ast.AnnAssign) and _is_of_self(node.target):
            found[node.target.attr] = node.annotation
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in known:
            found |= {each.attr: known[node.value.id] for each in node.targets if _is_of_self(each)}
    return found


def annotations_of(function: Function) -> Mapping[str, ast.expr]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {each.arg: each.annotation for each in every if each.annotation is not None}


def constant(node: ast.expr) -> object:
    """The value of a literal; None for any other expression."""
    return node.value if isinstance(node, ast.Constant) else None


def _is_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in the order of the source; functions and classes in it are given, but not entered."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            yield from own_nodes(node)
