"""What an expression is, as far as its annotations say: enough of types to see whose rows a line of code writes.

It follows annotations of arguments, fields and results, `select(...)`, loops, comprehensions and the built-in
containers. It does not follow what has no annotation of its own: `Any`, a lambda, a callable that was handed over.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.source import Class, Function, Module, Source, annotations_of, constant

MAPPINGS = {"dict", "Mapping", "MutableMapping", "defaultdict"}
SAME = {"Annotated", "Optional", "Final", "ClassVar", "Awaitable", "Coroutine"}
ONE_OF_THEM = {"one", "first", "one_or_none", "scalar_one", "scalar_one_or_none", "pop", "popleft"}
ITERATORS = {"list", "sorted", "set", "frozenset", "tuple", "reversed", "iter", "filter"}
EXECUTED = {"scalar", "scalars", "execute", "stream", "stream_scalars"}
FETCHED = {"get", "get_one"}
_BINDING = (ast.Assign, ast.AnnAssign, ast.For, ast.AsyncFor, ast.comprehension, ast.NamedExpr, ast.withitem)


@dataclass(frozen=True, slots=True)
class Kind:
    """One type: its full name and its arguments. A class as a value (not an instance) is a `type` of one argument."""

    name: str
    args: tuple["Kinds", ...] = ()


Kinds = tuple[Kind, ...]
"""The types that an expression may have; none of them where nothing is known."""

Names = dict[str, Kinds]


def many(kinds: Kinds) -> Kinds:
    return (Kind("list", (kinds,)),)


def elements(kinds: Kinds) -> Kinds:
    """What a loop over such a value gives."""
    found: list[Kind] = []
    for kind in kinds:
        found += (each for arg in kind.args for each in arg) if kind.name == "tuple" else (kind.args or ((),))[0]
    return tuple(found)


def values(kinds: Kinds) -> Kinds:
    """The values of mappings."""
    return tuple(each for kind in kinds if kind.name in MAPPINGS and len(kind.args) == 2 for each in kind.args[1])


@dataclass(slots=True)
class Types:
    """The types of one module's expressions."""

    source: Source
    module: Module

    def full_name(self, node: ast.expr) -> str:
        """The full name that a dotted expression has here; empty for any other expression."""
        if isinstance(node, ast.Attribute):
            before = self.full_name(node.value)
            return f"{before}.{node.attr}" if before else ""
        if not isinstance(node, ast.Name):
            return ""
        return self.module.imports.get(node.id) or self._own(node.id) or node.id

    def _own(self, name: str) -> str | None:
        full = f"{self.module.name}.{name}"
        source = self.source
        return full if full in source.classes or full in source.functions or full in source.tables else None

    def annotated(self, node: ast.expr | None) -> Kinds:
        """The types that an annotation allows, None left out."""
        if node is None:
            return ()
        if isinstance(constant(node), str):
            return self.annotated(ast.parse(str(constant(node)), mode="eval").body)
        if isinstance(node, ast.BinOp):
            return self.annotated(node.left) + self.annotated(node.right)
        if isinstance(node, ast.Subscript):
            return self._with_arguments(node)
        name = self.full_name(node)
        return (Kind(name),) if name else ()

    def _with_arguments(self, node: ast.Subscript) -> Kinds:
        name = self.full_name(node.value).rpartition(".")[2]
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        kinds = tuple(self.annotated(each) for each in arguments if constant(each) is not Ellipsis)
        if name in SAME:
            return kinds[0] if name != "Coroutine" else kinds[-1]
        return (Kind(name, kinds),)

    def of(self, node: ast.expr, names: Names) -> Kinds:
        """The types that an expression may have, by the names that are known where it is."""
        match node:
            case ast.Name(id=name):
                found = names.get(name) or self._as_value(node)
            case ast.Attribute():
                found = self._attribute(node, names)
            case ast.Call():
                found = self._call(node, names)
            case ast.Subscript():
                found = self._item(node, names)
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                found = self.of(value, names)
            case ast.IfExp(body=one, orelse=other):
                found = self._any_of([one, other], names)
            case ast.BoolOp(values=alternatives):
                found = self._any_of(alternatives, names)
            case _:
                found = self._collection(node, names)
        return tuple(dict.fromkeys(found))

    def _collection(self, node: ast.expr, names: Names) -> Kinds:
        match node:
            case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
                return many(self.of(element, names))
            case ast.List(elts=each) | ast.Set(elts=each):
                return many(self._any_of(each, names))
            case ast.Tuple(elts=each):
                return (Kind("tuple", tuple([self.of(one, names) for one in each])),)
            case ast.DictComp(key=key, value=value):
                return (Kind("dict", (self.of(key, names), self.of(value, names))),)
            case ast.Dict(values=each):
                return (Kind("dict", ((), self._any_of(each, names))),)
        return ()

    def _any_of(self, nodes: Sequence[ast.expr], names: Names) -> Kinds:
        return tuple(kind for node in nodes for kind in self.of(node, names))

    def _as_value(self, node: ast.expr) -> Kinds:
        """A class or a table that is named."""
        name = self.full_name(node)
        return (Kind("type", ((Kind(name),),)),) if name in self.source.classes or name in self.source.tables else ()

    def _attribute(self, node: ast.Attribute, names: Names) -> Kinds:
        if named := self._as_value(node):
            return named
        base = self.of(node.value, names)
        if node.attr in ("__table__", "c"):
            return base
        return tuple(kind for each in base for kind in self._field(each, node.attr))

    def _field(self, kind: Kind, name: str) -> Kinds:
        found = self.source.classes.get(kind.name)
        if found is None:
            return ()
        there = Types(self.source, found.module)
        if name in found.fields:
            return there.annotated(found.fields[name])
        return there.annotated(found.methods[name].returns) if name in found.methods else ()

    def _item(self, node: ast.Subscript, names: Names) -> Kinds:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "tables":  # metadata.tables["name"]
            name = self.source.by_table.get(str(constant(node.slice)))
            return (Kind("type", ((Kind(name),),)),) if name else ()
        base, number = self.of(node.value, names), constant(node.slice)
        found: list[Kind] = []
        for kind in base:
            if kind.name == "tuple" and isinstance(number, int) and number < len(kind.args):
                found += kind.args[number]
            else:
                found += values((kind,)) if kind.name in MAPPINGS else elements((kind,))
        return tuple(found) if not isinstance(node.slice, ast.Slice) else base

    def _call(self, node: ast.Call, names: Names) -> Kinds:
        name = self.full_name(node.func)
        if name in self.source.functions:
            module, function = self.source.functions[name]
            return Types(self.source, module).annotated(function.returns)
        if name in self.source.classes:
            return (Kind(name),)
        if isinstance(node.func, ast.Attribute) and (found := self._method(node, node.func, names)):
            return found
        return self._builtin(name.rpartition(".")[2], node, names)

    def _builtin(self, name: str, node: ast.Call, names: Names) -> Kinds:
        """Functions of Python and SQLAlchemy that hand on what they get."""
        arguments = [self.of(each, names) for each in node.args]
        first = arguments[0] if arguments else ()
        if name in ITERATORS:
            return many(elements(first if name != "filter" else arguments[-1]))
        match name:
            case "next" | "max" | "min":
                return elements(first)
            case "enumerate":
                return many((Kind("tuple", ((), elements(first))),))
            case "zip":
                return many((Kind("tuple", tuple(elements(each) for each in arguments)),))
            case "dict":
                pairs = elements(first)
                return (Kind("dict", pairs[0].args),) if pairs and pairs[0].name == "tuple" else first
            case "cast":
                return self.annotated(node.args[0])
            case "select":
                rows = tuple(each.args[0] if each.name == "type" else () for kinds in arguments for each in kinds)
                return (Kind("select", rows),)
            case "to_thread":
                return self.of(ast.Call(node.args[0], node.args[1:], []), names)
        return first if name == "replace" else ()

    def _method(self, node: ast.Call, function: ast.Attribute, names: Names) -> Kinds:
        base, name = self.of(function.value, names), function.attr
        arguments = [self.of(each, names) for each in node.args]
        first = arguments[0] if arguments else ()
        if name in FETCHED and first and first[0].name == "type":
            return first[0].args[0]
        if name in EXECUTED and first and first[0].name == "select":
            return _result(name, first[0])
        return tuple(kind for each in base for kind in self._called_on(each, name))

    def _called_on(self, kind: Kind, name: str) -> Kinds:
        if kind.name == "type":
            return self._class_method(kind.args[0], name)
        if kind.name in MAPPINGS:
            return self._of_mapping(kind, name)
        if kind.name in self.source.classes:
            return self._field(kind, name) or self._copied(kind, name)
        if name in ONE_OF_THEM:
            return elements((kind,))
        return (kind,)

    def _of_mapping(self, kind: Kind, name: str) -> Kinds:
        if name == "items":
            return many((Kind("tuple", kind.args),))
        if name == "values":
            return many(values((kind,)))
        return values((kind,)) if name in ("get", "pop", "setdefault") else ()

    def _class_method(self, kinds: Kinds, name: str) -> Kinds:
        made: list[Kind] = []
        for kind in kinds:
            found = self.source.classes.get(kind.name)
            returns = self._field(kind, name)
            if found is not None and (name.startswith("model_") or _says_self(found, name)):
                returns = (kind,)
            made += returns
        return tuple(made)

    def _copied(self, kind: Kind, name: str) -> Kinds:
        return (kind,) if name == "model_copy" else ()

    def names_in(self, scope: ast.AST, nodes: Sequence[ast.AST], owner: Class | None, outer: Names) -> Names:
        """The types of a scope's names: its arguments, and what its nodes bind anywhere. `owner`: a method's class."""
        names = dict(outer)
        if isinstance(scope, Function):
            if owner is not None:
                names["self"] = (Kind(owner.name),)
            names |= {name: self.annotated(annotation) for name, annotation in annotations_of(scope).items()}
        binding = [node for node in nodes if isinstance(node, _BINDING)]
        for _ in range(2):  # a name may be bound from one that is bound further down, in a loop
            for node in binding:
                for target, kinds in self._bindings(node, names):
                    _bind(target, kinds, names)
        return names

    def _bindings(self, node: ast.AST, names: Names) -> Iterable[tuple[ast.expr, Kinds]]:
        match node:
            case ast.Assign(targets=targets, value=value):
                kinds = self.of(value, names)
                yield from ((target, kinds) for target in targets)
            case ast.AnnAssign(target=target, annotation=annotation):
                yield target, self.annotated(annotation)
            case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
                yield target, elements(self.of(source, names))
            case ast.comprehension(target=target, iter=source):
                yield target, elements(self.of(source, names))
            case ast.NamedExpr(target=target, value=value):
                yield target, self.of(value, names)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                yield target, self.of(value, names)


def _result(name: str, statement: Kind) -> Kinds:
    """What executing a SELECT gives: rows of its columns, or the first column of each, or of the first row."""
    if name == "scalar":
        return statement.args[0] if statement.args else ()
    if name in ("scalars", "stream_scalars"):
        return many(statement.args[0] if statement.args else ())
    return many((Kind("tuple", statement.args),))


def _says_self(found: Class, name: str) -> bool:
    method = found.methods.get(name)
    return method is not None and method.returns is not None and ast.unparse(method.returns).strip("'\"") == "Self"


def _bind(target: ast.expr, kinds: Kinds, names: Names) -> None:
    if isinstance(target, ast.Name):
        names[target.id] = tuple(dict.fromkeys((*names.get(target.id, ()), *kinds)))
    elif isinstance(target, ast.Starred):
        _bind(target.value, many(kinds), names)
    elif isinstance(target, ast.Tuple | ast.List):
        for number, each in enumerate(target.elts):
            tuples = [kind for kind in kinds if kind.name == "tuple"]
            inside = [part for kind in tuples if number < len(kind.args) for part in kind.args[number]]
            _bind(each, tuple(inside) or elements(tuple(set(kinds) - set(tuples))), names)
