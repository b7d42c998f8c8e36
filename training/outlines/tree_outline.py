"""The outline of a source file in any language of :mod:`.languages`, by tree-sitter."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .documentation import documentation, plain
from .languages import Language
from .naming import declared, joined, own_name
from .parts import (
    MAX_CHARACTERS,
    MIN_CHARACTERS,
    Outline,
    Pair,
    PairKind,
    Span,
    Unparsed,
    class_body,
    line_starts,
    lines_with_text,
)

Node = Any  # tree_sitter.Node, which is there only with the train extra

MOST_BROKEN = 0.1
"""Share of a file in nodes that are no syntax, from which on it counts as unparsed."""
LINES_PER_ERROR = 5
"""More errors than one in so many lines, and it counts as unparsed as well.

Many of a C++ header's are macros before a name, which cost no more than that declaration.
"""

_COMMENTS = frozenset({"comment", "line_comment", "block_comment", "html_comment"})
_NO_NODES = _COMMENTS | {
    "ERROR", "string_fragment", "string_content", "escape_sequence", "jsx_text",
}  # fmt: skip
"""What is neither an expression nor a statement."""
_STUB = re.compile(
    r"(?:(?:todo|unimplemented)!|throw new \w*(?:NotImplemented|UnsupportedOperation)\w*"
    r"|(?:panic!?|throw new \w*Error) ?\(.{0,3}(?:not (?:yet )?|un)implemented\b)[^\n;]*;?",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb"[ \t]*//[^\n]*")


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where a definition begins and ends with all that is around it, and its documentation."""

    start: int
    end: int
    docstring: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known of where a node stands."""

    scope: str = ""
    in_class: bool = False
    anchor: _Anchor | None = None


def parse(text: str, language: Language) -> Outline:
    """Raises Unparsed."""
    try:
        code = text.encode()
    except UnicodeEncodeError:
        raise Unparsed("a character that no source holds") from None  # half a surrogate pair
    root = _tree(code, language, text.count("\n") + 1)
    return _Walk(text, code, language).outline(root)


def _tree(code: bytes, language: Language, lines: int) -> Node:
    """The root of the tree with the least errors."""
    best: tuple[int, int, int] | None = None
    root: Node = None
    for parser in language.parsers():
        tree = parser.parse(code)
        found = _errors(tree.root_node)
        if best is None or found < best:
            best, root = found, tree.root_node
        if not best[0]:
            return root
    broken, count, line = best or (0, 0, 0)
    if broken > MOST_BROKEN * len(code) or count > 2 + lines // LINES_PER_ERROR:
        raise Unparsed(f"syntax error in line {line}")
    return root


def _errors(root: Node) -> tuple[int, int, int]:
    """Bytes that are no syntax, how many errors there are, and the first one's line."""
    broken = count = line = 0
    waiting = [root] if root.has_error else []
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            broken += max(1, node.end_byte - node.start_byte)
            count += 1
            at = node.start_point[0] + 1
            line = min(line or at, at)
        else:
            waiting.extend(child for child in node.children if child.has_error)
    return broken, count, line


class _Walk:
    """One pass over a tree, without recursion; places are bytes until they are handed out."""

    def __init__(self, text: str, code: bytes, language: Language) -> None:
        self._text, self._code, self._language = text, code, language
        self._definitions = language.functions | language.classes | language.values
        self._anchored = self._definitions.union(language.names)
        self._characters = _characters(text, code)
        self._nodes: dict[Span, None] = {}  # a node and its only child are one span
        self._blocks: list[Span] = []
        self._functions: list[Span] = []
        self._bodies: list[Span] = []
        self._pairs: list[Pair] = []

    def outline(self, root: Node) -> Outline:
        waiting = list(self._placed(root.named_children, _Place()))[::-1]
        while waiting:
            node, place = waiting.pop()
            inner = self._visited(node, place)
            if (children := node.named_children) and node.type not in _COMMENTS:
                waiting.extend(list(self._placed(children, inner))[::-1])
        starts = line_starts(self._text)
        in_body = bytearray(len(starts))
        begins = np.asarray(starts)
        for span in self._bodies:
            first, last = np.searchsorted(begins, self._span(*span), "right") - 1
            in_body[first : last + 1] = b"\1" * int(last + 1 - first)
        lines, weights = lines_with_text(self._text, starts, in_body)
        return Outline(
            self._text,
            lines,
            weights,
            tuple(self._span(*span) for span in self._nodes),
            tuple(self._span(*span) for span in self._blocks),
            tuple(self._span(*span) for span in self._functions),
            tuple(self._pairs),
        )

    def _placed(self, children: list[Node], place: _Place) -> Iterator[tuple[Node, _Place]]:
        """The children, and for definitions and what is around them where they begin."""
        kinds = [child.type for child in children]
        unanchored = place if place.anchor is None else replace(place, anchor=None)
        if self._anchored.isdisjoint(kinds):
            yield from ((child, unanchored) for child in children)
            return
        counts = Counter(kinds)
        seen: set[str] = set()
        for index, (child, kind) in enumerate(zip(children, kinds, strict=True)):
            if kind not in self._anchored:
                yield child, unanchored
                continue
            # Of `a = …, b = …` only the first goes with what stands before both.
            anchor = self._anchor(children, index, None if kind in seen else place.anchor)
            seen.add(kind)
            if counts[kind] > 1:
                anchor = replace(anchor, end=child.end_byte)
            if name := self._name_around(child):
                anchor = replace(anchor, name=name)
            yield child, replace(place, anchor=anchor)

    def _anchor(self, children: list[Node], index: int, outer: _Anchor | None) -> _Anchor:
        node = children[index]
        start, docstring = documentation(self._code, children, index, self._language)
        if outer is None or docstring:
            return _Anchor(start, node.end_byte, docstring, outer.name if outer else "")
        return outer

    def _name_around(self, node: Node) -> str:
        named = self._language.names.get(node.type)
        if named:
            field = node.child_by_field_name(named)
            return declared(field) if field else ""
        return "default" if node.type == "export_statement" else ""

    def _visited(self, node: Node, place: _Place) -> _Place:
        """Take down what a node is; returns where its children stand."""
        language, kind = self._language, node.type
        span = node.start_byte, node.end_byte
        # A character has up to four bytes: what it comes to is measured again where it matters.
        if kind not in _NO_NODES and MIN_CHARACTERS <= span[1] - span[0] <= 4 * MAX_CHARACTERS:
            start, end = self._span(*span)
            if MIN_CHARACTERS <= end - start <= MAX_CHARACTERS:
                self._nodes[span] = None
        if kind in language.blocks and (inside := self._inside(node)):
            self._blocks.append((inside[0] + _blanks(self._code, inside[0]), inside[1]))
        if kind in language.scopes:
            named = node.child_by_field_name(language.scopes[kind])
            scope = joined(place.scope, declared(named)) if named else place.scope
            return _Place(scope, kind in language.owners)
        if kind in self._definitions:
            return self._definition(node, place)
        return place

    def _definition(self, node: Node, place: _Place) -> _Place:
        kind, language = node.type, self._language
        anchor = place.anchor or _Anchor(node.start_byte, node.end_byte, "")
        own, is_method = own_name(node)
        name = own or anchor.name
        scope = joined(place.scope, name)
        body = self._body_of(node)
        is_class = kind in language.classes or self._is_macro_class(node, body)
        if body is None:
            return _Place(scope, is_class)
        inside = self._inside(body)
        if inside and not is_class:
            self._bodies.append(inside)
        if not name or not inside or node.has_error:
            return _Place(scope, is_class)
        pair_kind: PairKind = "class"
        if not is_class:
            pair_kind = "method" if is_method or place.in_class else "function"
            self._functions.append((anchor.start, anchor.end))
        self._add_pair(scope, pair_kind, anchor, body, inside)
        return _Place(scope, is_class)

    def _is_macro_class(self, node: Node, body: Node | None) -> bool:
        """Whether it is ``class EXPORT Name { … }``, a function without parameters to C++."""
        if node.type != "function_definition" or body is None:
            return False
        return b"(" not in self._code[node.start_byte : body.start_byte]

    def _add_pair(
        self, name: str, kind: PairKind, anchor: _Anchor, body: Node, inside: Span
    ) -> None:
        start, end = inside
        docstring = anchor.docstring
        if self._language.inner:
            head = self._code[start:end].decode()
            if found := self._language.inner.match(head):
                start += len(found.group().encode())
                docstring = "\n".join(filter(None, (docstring, plain(found.group().strip()))))
        # Behind a comment in the line of the opening brace, as a cursor would be.
        if comment := _COMMENT.match(self._code, start, end):
            start = comment.end()
        if not self._code[start:end].strip():
            return
        if kind != "class" and _STUB.fullmatch(self._code[start:end].decode().strip()):
            return
        first, last = self._span(start, end)
        span: Span | None = (first, last)
        if kind == "class":
            ends = [last, *(self._span(end, end)[0] for end in self._class_ends(body))]
            span = class_body(self._text, first, ends)
        if span:
            outer = self._span(anchor.start, anchor.end)
            self._pairs.append(Pair(name, kind, outer[0], span, docstring, outer[1]))

    def _class_ends(self, body: Node) -> Iterator[int]:
        """Behind a class's first method, and before it with its documentation."""
        children = body.named_children
        for index, child in enumerate(children):
            if child.type in self._language.functions:
                yield child.end_byte
                start, _ = documentation(self._code, children, index, self._language)
                yield len(self._code[:start].rstrip())
                return

    def _body_of(self, node: Node) -> Node | None:
        body = node.child_by_field_name("body")
        if body is None and node.named_children:  # Go's structs have no such field
            last = node.named_children[-1]
            body = last if last.type in self._language.blocks else None
        return body

    def _inside(self, body: Node) -> Span | None:
        """What a body holds, from behind its brace to its last character; None if nothing does."""
        start, end = body.start_byte, body.end_byte
        if self._code[start : start + 1] != b"{":  # an arrow function's expression
            head = self._code[:start].rstrip()
            return len(head), end
        if all(child.type in _NO_NODES for child in body.named_children):
            return None
        closed = self._code[end - 1 : end] == b"}"
        inside = self._code[start + 1 : end - closed].rstrip()
        return start + 1, start + 1 + len(inside)

    def _span(self, start: int, end: int) -> Span:
        if self._characters is None:
            return start, end
        return self._characters[start], self._characters[end]


def _characters(text: str, code: bytes) -> list[int] | None:
    """Of every byte, and of the end, how many characters begin before it; None: all are ASCII."""
    if len(text) == len(code):
        return None
    begins = (np.frombuffer(code, np.uint8) & 0xC0) != 0x80
    before: list[int] = np.concatenate(([0], np.cumsum(begins))).tolist()
    return before


def _blanks(code: bytes, start: int) -> int:
    found = re.compile(rb"\s*").match(code, start)
    return found.end() - start if found else 0
