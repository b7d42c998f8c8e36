"""Definitions in languages with braces, found by their first lines.

The serving side has no parser for them. A pattern per language knows what a definition's line looks
like; braces, counted outside of strings and comments, tell where it ends. Good enough to show
what a name stands for, which is all that it is used for.
"""

import re
from collections.abc import Iterator, Sequence

from .symbol import Symbol

_MOST_LINES = 400
_MOST_MEMBERS, _MOST_COMMENT = 24, 3
_LONGEST_LINE = 400

_MODIFIERS = (
    r"(?:(?:public|private|protected|internal|static|final|abstract|sealed|default|export|declare"
    r"|readonly|override|async|synchronized|native|strictfp|non-sealed|inline|virtual|explicit"
    r"|constexpr|extern|const|volatile|unsafe|friend|accessor)\s+)*"
)
_ES = (
    ("class", rf"^\s*{_MODIFIERS}class\s+([\w$]+)"),
    ("interface", rf"^\s*{_MODIFIERS}interface\s+([\w$]+)"),
    ("enum", rf"^\s*{_MODIFIERS}enum\s+([\w$]+)"),
    ("type", rf"^\s*{_MODIFIERS}type\s+([\w$]+)\s*(?:<[^=]*>)?\s*="),
    ("function", rf"^\s*{_MODIFIERS}function\s*\*?\s*([\w$]+)\s*[(<]"),
    ("function", (r"^(?:export\s+)?(?:const|let|var)\s+([\w$]+)\s*(?::[^=]+)?=\s*(?:async\s*)?"
                 r"(?:function\b|\([^)]*\)\s*(?::[^=]+)?=>|[\w$]+\s*=>|\($)")),
    ("variable", r"^(?:export\s+)?(?:const|let|var)\s+([\w$]+)\s*(?::[^=]+)?="),
    ("method", (rf"^\s+{_MODIFIERS}(?:get\s+|set\s+|\*\s*|#)?"
               r"(?!(?:if|for|while|switch|catch|return|function|await|new|super|else|do)\b)"
               r"([\w$]+)\s*(?:<[^>()]*>)?\([^;]*\)\s*(?::[^;={]+)?\{")),
)  # fmt: skip
_C = (
    ("macro", r"^\s*#\s*define\s+(\w+)"),
    ("class", (r"^\s*(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union|enum(?:\s+class)?)"
              r"\s+(?:[A-Z_]+\s+)?(\w+)\s*(?:final\s*)?(?:$|[:{])")),
    ("type", r"^\s*using\s+(\w+)\s*="),
    ("type", r"^\s*typedef\b[^;{]*?\b(\w+)\s*(?:\[[^\]]*\])?;"),
    ("function", (r"^(?!\s*(?:return|else|if|for|while|switch|case|throw|delete|new|using|goto)\b)"
                 rf"\s*{_MODIFIERS}(?:[\w:<>,*&~\[\]]+\s+[\w:<>,*&\s]*?|)[*&]*"
                 r"(?:\w+::)*(~?\w+)\s*\([^;{}]*(?:\)\s*(?:const\s*|noexcept\s*|override\s*)*)?"
                 r"(?:[{;]|$)")),
)  # fmt: skip
_PATTERNS = {
    language: tuple((kind, re.compile(pattern)) for kind, pattern in patterns)
    for language, patterns in {
        "javascript": _ES,
        "typescript": _ES,
        "go": (
            ("function", r"^func\s+(\w+)\s*[\[(]"),
            ("method", r"^func\s+\([^)]*\)\s*(\w+)\s*[\[(]"),
            ("type", r"^type\s+(\w+)\b"),
            ("type", r"^\t(\w+)\s+(?:struct|interface)\s*\{"),
            ("variable", r"^(?:const|var)\s+(\w+)\b"),
        ),
        "rust": (
            ("function", (r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?"
                         r"(?:unsafe\s+)?(?:extern\s+\"[^\"]*\"\s+)?fn\s+(\w+)")),
            ("class", r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum|union)\s+(\w+)"),
            ("trait", r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:unsafe\s+)?trait\s+(\w+)"),
            ("type", r"^\s*(?:pub(?:\([^)]*\))?\s+)?type\s+(\w+)"),
            ("variable", r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:const|static)\s+(?:mut\s+)?(\w+)\s*:"),
            ("function", r"^\s*macro_rules!\s*(\w+)"),
            ("impl", r"^impl\b(?:<.*?>)?\s+(?:.*\bfor\s+)?([A-Z]\w*)"),
        ),
        "java": (
            ("class", rf"^\s*{_MODIFIERS}(?:class|interface|enum|record|@interface)\s+(\w+)"),
            ("method", (rf"^\s+{_MODIFIERS}(?:<[^>]+>\s+)?"
                       r"(?!(?:return|else|new|throw|if|for|while|switch|catch|case|assert)\b)"
                       r"(?:[\w.<>\[\],?@]+\s+)?(\w+)\s*\([^;]*(?:\)\s*(?:throws\s+[\w.,\s]+)?)?"
                       r"(?:\{|$|;)")),
        ),
        "c": _C,
        "cpp": _C,
    }.items()
}  # fmt: skip
_SCOPES = frozenset(("class", "interface", "enum", "trait", "impl", "type"))
_STRINGS = re.compile(
    r"//.*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'|'(?:\\.|[^'\\]){2,}'|`(?:\\.|[^`\\])*`"
)
_COMMENT = re.compile(r"^\s*(?://|/\*|\*|#\[|@\w)")


def brace_symbols(language: str, lines: Sequence[str]) -> Iterator[Symbol]:
    """The definitions in a file's lines, in order."""
    patterns = _PATTERNS.get(language)
    if patterns is None:
        return
    bare = [_bare(line) for line in lines]
    scopes: list[tuple[int, str]] = []  # (last line, name) of the classes around
    inside = -1  # the last line of the function around: what is in it is nobody's business
    for number, line in enumerate(bare):
        if number <= inside or not line.strip() or len(lines[number]) > _LONGEST_LINE:
            continue
        while scopes and scopes[-1][0] < number:
            scopes.pop()
        found = _match(patterns, line, within=bool(scopes))
        if found is None:
            continue
        kind, name = found
        last = _last_of_macro(lines, number) if kind == "macro" else _end(bare, number)
        if kind not in _SCOPES and kind != "macro":
            inside = last
        outer = ".".join(scope for _, scope in scopes)
        if kind in _SCOPES and last > number:
            scopes.append((last, name))
        if kind == "impl":
            continue
        qualified = f"{outer}.{name}" if outer else name
        first = _first(lines, number)
        head = _head(lines, bare, first, number, last, has_members=kind in _SCOPES)
        yield Symbol(name, qualified, kind, first, last, head)


def _match(
    patterns: Sequence[tuple[str, re.Pattern[str]]], line: str, *, within: bool
) -> tuple[str, str] | None:
    for kind, pattern in patterns:
        if (match := pattern.match(line)) and (kind != "method" or within or line[0] == "f"):
            return kind, match[1]
    return None


def _bare(line: str) -> str:
    """A line without its strings and comments, whose braces count for nothing."""
    if '"' not in line and "'" not in line and "/" not in line and "`" not in line:
        return line
    return _STRINGS.sub(lambda match: "" if match.group()[0] == "/" else '""', line)


def _end(bare: Sequence[str], number: int) -> int:
    """The last line of the definition that begins on ``number``."""
    depth, opened = 0, False
    for at in range(number, min(number + _MOST_LINES, len(bare))):
        line = bare[at]
        opened = opened or "{" in line
        depth += line.count("{") - line.count("}") + line.count("(") - line.count(")")
        if depth <= 0 and (opened or line.rstrip().endswith(";")):
            return at
        if not opened and depth <= 0 and (not line.strip() or at > number + 1):
            return max(at - 1, number)
    return min(number + _MOST_LINES, len(bare)) - 1


def _last_of_macro(lines: Sequence[str], number: int) -> int:
    last = number
    while lines[last].endswith("\\") and last + 1 < len(lines):
        last += 1
    return last


def _first(lines: Sequence[str], number: int) -> int:
    """Where the comment, or the attributes, right above a definition begin."""
    first = number
    while first > 0 and number - first < _MOST_LINES and _COMMENT.match(lines[first - 1]):
        first -= 1
    return first


def _head(
    lines: Sequence[str],
    bare: Sequence[str],
    first: int,
    number: int,
    last: int,
    *,
    has_members: bool,
) -> str:
    """Comment, signature, and the first lines of the members of a class."""
    above = list(lines[first:number])
    if len(above) > _MOST_COMMENT:
        above = above[:_MOST_COMMENT]
    opening = next((at for at in range(number, last + 1) if "{" in bare[at]), last)
    found = [*above, *lines[number : opening + 1]]
    if last == opening:
        return "\n".join(found)
    if has_members:
        found += _members(lines, bare, opening, last)
        return "\n".join([*found, lines[last]])
    found[-1] = found[-1].rstrip() + " ... }"
    return "\n".join(found)


def _members(lines: Sequence[str], bare: Sequence[str], opening: int, last: int) -> list[str]:
    depth, found = 0, []
    for at in range(opening + 1, last):
        before = depth
        depth += bare[at].count("{") - bare[at].count("}")
        if before == 0 and bare[at].strip() and not _COMMENT.match(lines[at]):
            found.append(lines[at].rstrip() + (" ... }" if depth > 0 else ""))
            if len(found) >= _MOST_MEMBERS:
                break
    return found
