"""One file's outline, whatever its language: the door to the parsers."""

from . import python_outline, tree_outline
from .languages import LANGUAGES
from .parts import Line, Outline, Pair, PairKind, Span, Unparsed, line_starts, lines_with_text

__all__ = ["Line", "Outline", "Pair", "PairKind", "Span", "Unparsed", "outline", "parse"]


def outline(text: str, language: str = "python") -> Outline | None:
    """The outline of a file; None if it cannot be parsed or holds no text.

    Of a language that is not known (``""``: any other text) only the lines are.
    """
    try:
        return parse(text, language)
    except Unparsed:
        return None


def parse(text: str, language: str) -> Outline:
    """:func:`outline` for those who want to know why there is none. Raises Unparsed."""
    try:
        if language == "python":
            return python_outline.parse(text)
        if language in LANGUAGES:
            return tree_outline.parse(text, LANGUAGES[language])
    except RecursionError:
        raise Unparsed("nested too deep") from None
    except MemoryError:  # CPython's parser says so of what is nested too deep for it, too
        raise Unparsed("nested too deep, or too large for the memory") from None
    starts = line_starts(text)
    return Outline(text, *lines_with_text(text, starts, bytes(len(starts))))
