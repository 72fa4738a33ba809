"""Each table declares whose rows it holds, and no room opens a transaction that belongs to no caller or lender, unless
it says on that line why it sees the rows of all: `# all lenders: …`. Run by
`make check`: `python -m checks.tenants`. What a declaration does: shared/tenants.py.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.embedded import PARTS, Part
from shared.tenants import TenantUndeclared, check_tenants

ROOT = Path(__file__).parents[1]
OPENED = ("transaction", "reading")
LENDERS_CALL = ("cases", "visits", "followup")
ALL_LENDERS = "# all lenders:"


def undeclared(parts: Mapping[str, Part]) -> list[str]:
    """A sentence for each table that does not declare whose rows it holds."""
    said = []
    for name, part in parts.items():
        try:
            check_tenants(part.service.tables.metadata)
        except TenantUndeclared as error:
            said += [f"{name}: {sentence}" for sentence in str(error).splitlines()]
    return said


def bare_transactions(root: Path) -> list[str]:
    """A sentence for each place where a room of a service that lenders call opens a transaction, or hands over what
    opens one, without a context: a lender would see the rows of all."""
    found = []
    for path in sorted(each for service in LENDERS_CALL for each in root.glob(f"services/{service}/*/*.py")):
        text = path.read_text()
        lines, tree = text.splitlines(), ast.parse(text)
        given = {id(opening) for node in ast.walk(tree) for opening in _with_context(node)}
        bare = [
            node
            for node in _opening(tree)
            if id(node) not in given and (path.name == "api.py" or not _says_why(lines[node.lineno - 1]))
        ]
        found += [f"{path}:{node.lineno}: {_remedy(path, node.attr)}" for node in bare]
    return sorted(found)


def _says_why(line: str) -> bool:
    """Whether a line gives a reason."""
    return bool(line.partition(ALL_LENDERS)[2].strip())


def _remedy(path: Path, opened: str) -> str:
    if path.name == "api.py":
        return f"give .{opened} the caller's context_of(request)."
    return f"give .{opened} a context with its lender, or say on this line why it sees all: {ALL_LENDERS} …"


def _with_context(node: ast.AST) -> Iterator[ast.expr]:
    """What is called with arguments, or bound to some by `partial`."""
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        yield node.func
        if getattr(node.func, "id", "") == "partial" and len(node.args) > 1:
            yield node.args[0]


def _opening(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Where `database.transaction` and `database.reading` are named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OPENED:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner in ("database", "_database"):
                yield node


def main() -> int:
    said = undeclared(PARTS) + bare_transactions(ROOT)
    for sentence in said:
        print(sentence, file=sys.stderr)
    if not said:
        tables = sum(len(part.service.tables.metadata.tables) for part in PARTS.values())
        print(
            f"Checked: {tables} tables declare whose rows they hold, and rooms open transactions of a caller or lender."
        )
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
