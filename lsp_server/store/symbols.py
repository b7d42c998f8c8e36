"""What a file defines: names, where they stand, and heads short enough to be shown elsewhere.

A head is the definition without what it does: its signature, the first line of its documentation,
and for a class its members' signatures. Every head is made of the file's own lines, so that a line
taken out of a text (a secret) is in no head either.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence

from .braces import brace_symbols
from .symbol import Symbol

MOST_MEMBERS = 16
_MOST_SIGNATURE_LINES = 12
_ELLIPSIS = "..."


def symbols(language: str, text: str, lines: Sequence[str]) -> tuple[Symbol, ...]:
    """The definitions in ``text``; heads are taken from ``lines``, which may lack some of it.

    ``lines`` are the text's, without line ends and equal in number. Nothing of a text that cannot
    be parsed.
    """
    if language == "python":
        return tuple(_python(text, lines))
    return tuple(brace_symbols(language, lines))


def _python(text: str, lines: Sequence[str]) -> Iterator[Symbol]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of somebody else's escape sequences
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _definitions(tree.body, "", lines)


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(body: Sequence[ast.stmt], outer: str, lines: Sequence[str]) -> Iterator[Symbol]:
    for node in body:
        if isinstance(node, _Function):
            kind = "method" if outer else "function"
            yield _symbol(node, outer, kind, _function_head(node, lines))
        elif isinstance(node, ast.ClassDef):
            yield _symbol(node, outer, "class", _class_head(node, lines))
            yield from _definitions(node.body, f"{outer}{node.name}.", lines)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and not outer:
                    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
                    head = "\n".join(lines[first : min(last, first + 3) + 1])
                    yield Symbol(target.id, target.id, "variable", first, last, head)
        elif isinstance(node, ast.If | ast.Try):  # `if TYPE_CHECKING`, `try: import`
            yield from _definitions(node.body, outer, lines)


def _symbol(node: _Function | ast.ClassDef, outer: str, kind: str, head: str) -> Symbol:
    first, last = _first(node), (node.end_lineno or node.lineno) - 1
    return Symbol(node.name, outer + node.name, kind, first, last, head)


def _first(node: _Function | ast.ClassDef) -> int:
    """The line that a definition begins on, its decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1


def _signature(node: _Function | ast.ClassDef, lines: Sequence[str]) -> list[str]:
    """From the decorators to the colon; one that is all on one line keeps its body."""
    end = node.body[0].lineno - 1
    if isinstance(node.body[0], _Function | ast.ClassDef):
        end = _first(node.body[0])
    found = list(lines[_first(node) : max(end, node.lineno)])
    while len(found) > 1 and (not found[-1].strip() or found[-1].lstrip().startswith("#")):
        found.pop()
    return found[:_MOST_SIGNATURE_LINES]


def _docstring_line(node: _Function | ast.ClassDef, lines: Sequence[str]) -> list[str]:
    """The first line of the docstring, closed."""
    first = node.body[0]
    if not (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
        and first.lineno > node.lineno
    ):
        return []
    line = lines[first.lineno - 1]
    quotes = next((mark for mark in ('"""', "'''") if mark in line), "")
    if not line.strip() or not quotes or first.end_lineno == first.lineno:
        return [line] if line.strip() else []
    if line.strip().lstrip("rRuUbBfF") == quotes:  # the text begins on the line below
        line += lines[first.lineno].strip() if first.lineno < len(lines) else ""
    return [line.rstrip() + quotes]


def _function_head(node: _Function, lines: Sequence[str]) -> str:
    signature = _signature(node, lines)
    if node.body[0].lineno == node.lineno:  # `def f(): ...`
        return "\n".join(signature)
    indent = " " * node.body[0].col_offset
    return "\n".join([*signature, *_docstring_line(node, lines), indent + _ELLIPSIS])


def _class_head(node: ast.ClassDef, lines: Sequence[str]) -> str:
    found = [*_signature(node, lines), *_docstring_line(node, lines)]
    members = 0
    for member in node.body:
        if members >= MOST_MEMBERS:
            break
        if isinstance(member, ast.AnnAssign | ast.Assign):
            found.append(lines[member.lineno - 1])
            members += 1
        elif isinstance(member, _Function) and _is_public(member.name):
            *others, last = _signature(member, lines)
            closing = "" if member.body[0].lineno == member.lineno else f" {_ELLIPSIS}"
            found += [*others, last + closing]
            members += 1
        elif isinstance(member, ast.ClassDef):
            found.append(lines[member.lineno - 1] + f" {_ELLIPSIS}")
            members += 1
    return "\n".join(line for line in found if line.strip())


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in {"__init__", "__call__"}
