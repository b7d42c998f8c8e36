"""Which part of a document goes into the prompt, cut so that typing leaves the cut where it is.

A window that slides with the cursor would change its first token at every line, and with it the
whole KV cache. So its outer edges stand on *anchors*: line starts at fixed character distances
(a quarter of the budget) from the document's start for the prefix, from its end for the suffix.
The prefix's edge then stays while the user types until a whole step is used up; the suffix's never
moves while the user types. Both are functions of (document, cursor) alone, so that training cuts
exactly as serving does.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""Tokens of each text, in order; texts are whole lines, so an implementation may cache them."""

STEPS_PER_BUDGET = 4
CHARACTERS_PER_TOKEN = 3
"""A cautious guess for code (measured on Python: 3.2-3.6), for the size of a step and for the
cursor's own line; what else fits is counted in real tokens."""
MAX_CHARACTERS_PER_TOKEN = 8
"""More text than this per budgeted token is not even counted: it cannot fit."""
_DENSE = b"0123456789" + bytes(range(0x80, 0x100))
"""Bytes of UTF-8 that a vocabulary may have a token for each of, and none for several."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Most tokens of each part of a prompt, and of the answer."""

    prefix: int
    suffix: int
    output: int
    snippets: int = 0

    def within(self, other: "Budget") -> "Budget":
        """No part longer than here or there."""
        return Budget(
            min(self.prefix, other.prefix),
            min(self.suffix, other.suffix),
            min(self.output, other.output),
            min(self.snippets, other.snippets),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """The text before and after the cursor that goes into the prompt."""

    prefix: str
    suffix: str


def window(before: str, after: str, budget: Budget, count: CountTokens) -> Window:
    """Cut a document, given as the text before and after the cursor, to a budget in tokens."""
    start = _prefix_start(before, budget.prefix, count)
    end = _suffix_end(after, budget.suffix, count)
    return Window(before[start:], after[:end])


def lines_to_count(before: str, after: str, budget: Budget) -> Sequence[str]:
    """Exactly the lines whose tokens :func:`window` will ask for with the same arguments.

    So that whoever counts elsewhere may ask for all of them at once.
    """
    asked: list[str] = []

    def record(lines: Sequence[str]) -> Sequence[int]:
        asked.extend(lines)
        return [0] * len(lines)

    window(before, after, budget, record)
    return asked


def _prefix_start(before: str, budget: int, count: CountTokens) -> int:
    """The earliest anchor from which the text up to the cursor fits."""
    if budget <= 0:
        return len(before)
    step = _step(budget)
    first = max(0, -(-(len(before) - budget * MAX_CHARACTERS_PER_TOKEN) // step))
    last = before.rfind("\n") + 1  # the cursor's own line starts here
    found = (_line_start_from(before, at * step) for at in range(first, last // step + 1))
    anchors = sorted({anchor for anchor in found if anchor <= last} | {last})
    *lines, cursor_line = _lines(before[anchors[0] :])
    tokens = count(lines)
    left = granted(cursor_line) + sum(tokens)
    position = anchors[0]
    remaining = iter(zip(lines, tokens, strict=True))
    for anchor in anchors:
        while position < anchor:
            line, cost = next(remaining)
            position += len(line)
            left -= cost
        if left <= budget:
            return anchor
    # The cursor's line alone is too long (minified code): an anchored cut inside it that fits.
    # A character beyond ASCII may take four tokens, so that whole steps of them would not.
    step = step if cursor_line.isascii() else max(1, step // STEPS_PER_BUDGET)
    first = -(-max(last, len(before) - budget) // step) * step
    cuts = range(first, len(before), step)
    return next((cut for cut in cuts if granted(before[cut:]) <= budget), len(before))


def _suffix_end(after: str, budget: int, count: CountTokens) -> int:
    """The last anchor up to which the text from the cursor on fits."""
    if budget <= 0:
        return 0
    step = _step(budget)
    # Anchors count from the document's end, which typing does not move.
    reach = min(len(after), budget * MAX_CHARACTERS_PER_TOKEN)
    cursor_line, *lines = _lines(after[:reach])
    tokens = [granted(cursor_line), *count(lines)]
    ends: list[tuple[int, int]] = []  # (end of line, tokens up to there)
    position = used = 0
    for line, cost in zip([cursor_line, *lines], tokens, strict=True):
        position, used = position + len(line), used + cost
        ends.append((position, used))
    fitting = [end for end, used in ends if used <= budget]
    if not fitting:
        lengths = range(min(len(after), budget) + 1)
        return bisect_right(lengths, budget, key=lambda length: granted(after[:length])) - 1
    if fitting[-1] == len(after):
        return len(after)
    multiple = -(-(len(after) - fitting[-1]) // step)
    anchored = [end for end in fitting if end <= len(after) - multiple * step]
    return anchored[-1] if anchored else fitting[-1]


def _step(budget: int) -> int:
    """Distance of two anchors, in characters."""
    return max(1, budget * CHARACTERS_PER_TOKEN // STEPS_PER_BUDGET)


def _line_start_from(text: str, offset: int) -> int:
    """The first line start at or after ``offset``; the text's end if there is none."""
    if offset == 0 or text[offset - 1] == "\n":
        return offset
    newline = text.find("\n", offset)
    return len(text) if newline < 0 else newline + 1


def _lines(text: str) -> list[str]:
    """Lines with their newline; the last one has none. Other line separators stay text."""
    *whole, last = text.split("\n")
    return [*(line + "\n" for line in whole), last]


def granted(line: str) -> int:
    """Tokens granted to a line that is not counted, as the cursor's, which changes with every key.

    Digits and what is not ASCII are granted a token for every byte: a line of figures, or in
    another script, would else take several times the budget, and be read at every key.
    """
    encoded = line.encode("utf-8", "surrogatepass")
    plain = len(encoded.translate(None, _DENSE))
    return len(encoded) - plain - (-plain // CHARACTERS_PER_TOKEN)
