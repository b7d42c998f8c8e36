"""The outline of Python source, by ``ast``."""

import ast
import re
import warnings
from collections.abc import Iterator

from .parts import (
    MAX_CHARACTERS,
    MIN_CHARACTERS,
    Outline,
    Pair,
    PairKind,
    Span,
    Unparsed,
    class_body,
    lines_with_text,
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_BODIES = ("body", "orelse", "finalbody")
_NEWLINE = re.compile(r"\r\n|\r|\n")  # the lines that ``ast`` counts
_COLON = re.compile(r"(?:[^:#]|#[^\n\r]*)*+:")
_COMMENT = re.compile(r"[ \t\f;]*#[^\n\r]*")
_REST = re.compile(r"[ \t\f]*;?[ \t\f]*(?:#[^\n\r]*)?(?=[\n\r]|\Z)")
_LEFT_OUT = frozenset({
    "overload", "abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod",
})  # fmt: skip


def parse(text: str) -> Outline:
    """Raises Unparsed, RecursionError (too deep) or MemoryError (too deep for the parser)."""
    # A byte order mark is no Python in a text; a form feed is, and is one character as well.
    code = "\f" + text[1:] if text.startswith("\ufeff") else text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the corpus's own faults, such as invalid escapes
            tree = ast.parse(code)
    except SyntaxError as error:
        raise Unparsed(f"syntax error in line {error.lineno or 1}") from None
    except ValueError:
        raise Unparsed("a character that no source holds") from None  # NUL, half a surrogate pair
    starts = [0, *(match.end() for match in _NEWLINE.finditer(code))]
    if starts[-1] == len(code):
        starts.pop()
    offset = _Offsets(code, starts)
    nodes, blocks, functions = [], [], []
    in_body = bytearray(len(starts) + 1)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)):
            start, end = offset.span(node)
            if MIN_CHARACTERS <= end - start <= MAX_CHARACTERS:
                nodes.append((start, end))
        for body in _bodies(node):
            blocks.append((offset.span(body[0])[0], offset.span(body[-1])[1]))
            if isinstance(node, _FUNCTIONS):
                functions.append((_first_offset(node, offset), offset.span(node)[1]))
                first, last = body[0].lineno, body[-1].end_lineno or body[-1].lineno
                in_body[first - 1 : last] = b"\1" * (last - first + 1)
    lines, weights = lines_with_text(text, starts, in_body)
    pairs = _Pairs(code, offset).of(tree)
    return Outline(text, lines, weights, tuple(nodes), tuple(blocks), tuple(functions), pairs)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists of a node; a docstring is not part of a body."""
    if isinstance(node, ast.Module):
        return
    for field in _BODIES:
        body = getattr(node, field, None)
        if not isinstance(body, list) or not body:
            continue
        if field == "body" and isinstance(node, _DEFINITIONS):
            body = _behind_docstring(node)
        if body:
            yield body


def _behind_docstring(node: Definition) -> list[ast.stmt]:
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if documented else node.body


def _first_offset(node: ast.stmt, offset: "_Offsets") -> int:
    """Where a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    before = [offset.before_decorator(decorator) for decorator in decorators[:1]]
    return min([offset.span(node)[0], *before])


class _Pairs:
    """The pairs of one file; what only declares (stubs, overloads, protocols) is none."""

    def __init__(self, code: str, offset: "_Offsets") -> None:
        self._code, self._offset = code, offset

    def of(self, tree: ast.Module) -> tuple[Pair, ...]:
        """In the order of the file; without recursion, so that no depth does harm."""
        found: list[Pair] = []
        waiting: list[tuple[ast.AST, str, bool, bool]] = [(tree, "", False, False)]
        while waiting:
            node, within, in_class, declared = waiting.pop()
            if isinstance(node, _DEFINITIONS):
                within = f"{within}.{node.name}" if within else node.name
                declared = declared and isinstance(node, _FUNCTIONS)
                declared = declared or (isinstance(node, ast.ClassDef) and _is_protocol(node))
                pair = None if declared else self._pair(node, within, in_class=in_class)
                if pair:
                    found.append(pair)
                in_class = isinstance(node, ast.ClassDef)
            inner = [(child, within, in_class, declared) for child in _statements(node)]
            waiting.extend(reversed(inner))
        return tuple(found)

    def _pair(self, node: Definition, name: str, *, in_class: bool) -> Pair | None:
        kind: PairKind = "class"
        if isinstance(node, _FUNCTIONS):
            if _LEFT_OUT.intersection(map(_last_name, node.decorator_list)):
                return None
            kind = "method" if in_class else "function"
        statements = _behind_docstring(node)
        if all(map(_is_stub, statements)):
            return None
        start, end = self._body_start(node), self._end(node.body[-1])
        body: Span | None = (start, end)
        if isinstance(node, ast.ClassDef):
            body = class_body(self._code, start, self._class_ends(statements))
        if body is None:
            return None
        docstring = ast.get_docstring(node) or ""
        return Pair(name, kind, _first_offset(node, self._offset), body, docstring, end)

    def _body_start(self, node: Definition) -> int:
        """Behind the docstring, or the header's colon, and a comment in the same line."""
        if _behind_docstring(node) is node.body:
            colon = _COLON.match(self._code, self._header_end(node))
            at = colon.end() if colon else self._offset.span(node.body[0])[0]
        else:
            at = self._offset.span(node.body[0])[1]
        comment = _COMMENT.match(self._code, at)
        return comment.end() if comment else at

    def _header_end(self, node: Definition) -> int:
        """A place behind every expression of the header, and before its colon."""
        last = [self._offset.span(node)[0]]
        if isinstance(node, ast.ClassDef):
            last += [self._offset.span(base)[1] for base in node.bases]
            last += [self._offset.span(keyword.value)[1] for keyword in node.keywords]
        elif node.returns:
            last.append(self._offset.span(node.returns)[1])
        else:
            given, defaults = node.args, [*node.args.defaults, *node.args.kw_defaults]
            names = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            last += [self._offset.span(part)[1] for part in (*names, *defaults) if part]
        parameters: list[ast.expr] = getattr(node, "type_params", [])
        last += [self._offset.span(parameter)[1] for parameter in parameters]
        return max(last)

    def _class_ends(self, statements: list[ast.stmt]) -> Iterator[int]:
        """Ends that a class's middle may have: the whole, the first method's, before it."""
        yield self._end(statements[-1])
        for index, statement in enumerate(statements):
            if isinstance(statement, _FUNCTIONS):
                yield self._end(statement)
                if index:
                    yield self._end(statements[index - 1])
                return

    def _end(self, statement: ast.stmt) -> int:
        """Of a statement, and of a comment behind it."""
        end = self._offset.span(statement)[1]
        rest = _REST.match(self._code, end)
        return end + len(rest.group().rstrip()) if rest else end


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Where definitions may stand within a node."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        inner = getattr(node, field, None)
        if isinstance(inner, list):
            yield from inner


def _is_protocol(node: ast.ClassDef) -> bool:
    return "Protocol" in map(_last_name, node.bases)


def _is_stub(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()):
            return True
        case ast.Raise(exc=ast.expr() as error):
            return _last_name(error) == "NotImplementedError"
    return False


def _last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c``, ``c(…)`` and ``c[…]``."""
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


class _Offsets:
    """``ast``'s places (line, UTF-8 bytes) as offsets in characters."""

    def __init__(self, text: str, starts: list[int]) -> None:
        self._text = text
        self._starts = starts
        self._ascii = text.isascii()

    def span(self, node: ast.expr | ast.stmt | ast.arg) -> Span:
        end_line = node.end_lineno or node.lineno
        end_column = node.end_col_offset or 0
        return self._at(node.lineno, node.col_offset), self._at(end_line, end_column)

    def before_decorator(self, decorator: ast.expr) -> int:
        """The ``@`` of a decorator."""
        start = self.span(decorator)[0]
        return max(self._text.rfind("@", 0, start), 0)

    def _at(self, line: int, column: int) -> int:
        start = self._starts[min(line, len(self._starts)) - 1]
        if self._ascii:
            return start + column
        # A line has at least as many bytes as characters, so this slice holds the whole column.
        head = self._text[start : start + column].encode()[:column]
        return start + len(head.decode("utf-8", "ignore"))
