"""What llama.vscode asks with, and what it makes of an answer before it shows it. Pure.

After ``src/completion.ts`` and ``src/utils.ts`` of llama.vscode 0.0.63, in our own words and code.
"""

import re
from dataclasses import dataclass, field

from .suggester import Document

PREFIX_LINES, SUFFIX_LINES = 256, 64
NO_WORDS = re.compile(r"[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked with: lines above, the rest of this line and lines below, this line so far."""

    prefix: str
    suffix: str
    prompt: str
    indent: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.prefix, self.suffix, self.prompt


@dataclass(slots=True)
class Place:
    lines: list[str]
    line: int
    head: str
    rest: str
    document: Document = field(repr=False)
    cursor: int = 0


def place_of(document: Document, cursor: int) -> Place:
    lines = document.text.split("\n")
    line = document.text.count("\n", 0, cursor)
    column = cursor - (document.text.rfind("\n", 0, cursor) + 1)
    return Place(lines, line, lines[line][:column], lines[line][column:], document, cursor)


def window_of(place: Place) -> Window:
    above = place.lines[max(0, place.line - PREFIX_LINES) : place.line]
    below = place.lines[place.line + 1 : place.line + 1 + SUFFIX_LINES]
    whole = place.lines[place.line]
    return Window(
        "\n".join(above) + "\n",
        place.rest + "\n" + "\n".join(below) + "\n",
        "" if NO_WORDS.match(place.head) else place.head,
        len(whole) - len(whole.lstrip()),
    )


def without_blank_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def is_discarded(lines: list[str], place: Place) -> bool:
    """Whether a suggestion only repeats what stands there."""
    if not lines or (len(lines) == 1 and not lines[0].strip()):
        return True
    document, line = place.lines, place.line
    if line == len(document) - 1:
        return False
    repeats = lines[0].strip() in {"", place.rest.strip()}
    if len(lines) > 1 and repeats and lines[1:] == document[line + 1 : line + len(lines)]:
        return True
    return lines == [place.rest] or _repeats_following(lines, place)


def _repeats_following(lines: list[str], place: Place) -> bool:
    """Whether it would put the next line that is not blank there once more."""
    document, line = place.lines, place.line
    following = next(
        (number for number in range(line + 1, len(document)) if document[number].strip()), None
    )
    if following is None or place.head + lines[0] != document[following]:
        return False
    if len(lines) == 1:
        return True
    if len(lines) == 2:
        return "".join(document[following + 1 : following + 2]).startswith(lines[1])
    return lines[1:] == document[following + 1 : following + len(lines)]


def shortened(lines: list[str], rest: str) -> str:
    """A suggestion in the middle of a line is one line, without what stands behind it."""
    if rest.strip():
        if lines[0].endswith(rest):
            return lines[0][: -len(rest)]
        if len(lines) > 1:
            return lines[0]
    return "\n".join(lines)


def without_spaces(text: str, count: int) -> str:
    start = 0
    while start < len(text) and ((start < count and text[start] == " ") or text[start] == "\t"):
        start += 1
    return text[start:]
