"""Doc comments: which comments above a definition are its documentation, and what they say."""

import re
from typing import Any

from .languages import Language

Node = Any  # tree_sitter.Node

_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_LINE_MARK = re.compile(r"^[ \t]*//[/!]?<?[ \t]?", re.MULTILINE)
_BLOCK_MARK = re.compile(r"^[ \t]*\*?[ \t]?", re.MULTILINE)
_ATTRIBUTE = re.compile(r'#!?\[doc\s*=\s*"((?:[^"\\]|\\.)*)"\s*\]')


def documentation(
    code: bytes, children: list[Node], index: int, language: Language
) -> tuple[int, str]:
    """Where the definition ``children[index]`` begins with its documentation, and what that says.

    Comments count that stand directly above, without an empty line between. Others (a linter's, a
    compiler's) are passed over.
    """
    start = below = children[index].start_byte
    found: list[str] = []
    for above in range(index - 1, -1, -1):
        node = children[above]
        is_attribute = node.type in language.attributes
        if not is_attribute and node.type not in _COMMENTS:
            break
        # Rust's line comments hold their newline.
        comment = code[node.start_byte : node.end_byte].rstrip(b"\r\n")
        gap = code[node.start_byte + len(comment) : below]
        if gap.count(b"\n") > 1 or gap.strip() or (b"\n" in gap and _trails(code, node)):
            break
        below = node.start_byte
        text = comment.decode()
        if language.doc.match(text):
            start = below
            found.append(plain(text))
            if text.startswith("/*"):
                break
        elif is_attribute:
            start = below
    return start, "\n".join(reversed(found)).strip()


def plain(comment: str) -> str:
    """What a comment says, without its marks."""
    if comment.startswith("/*"):
        inside = comment.removeprefix("/*").lstrip("*!").removesuffix("*/").rstrip("*")
        return _BLOCK_MARK.sub("", inside).strip()
    if comment.startswith("#"):
        return "\n".join(_ATTRIBUTE.findall(comment)).strip()
    return _LINE_MARK.sub("", comment).strip()


def _trails(code: bytes, node: Node) -> bool:
    """Whether a comment belongs to what stands before it in its line."""
    before = code[code.rfind(b"\n", 0, node.start_byte) + 1 : node.start_byte].strip()
    return bool(before) and not before.endswith(b"{")
