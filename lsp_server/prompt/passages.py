"""Windows of code, of other files and of the document itself, ranked for a cursor. Pure.

What is copied most often stands in the same file, out of the prompt's sight. The document's own
windows are cut from its text around the cursor, never from an index: the saved file may hold what
a training sample or an evaluation took out, and so it cannot come back. Their borders count from
the document's start above the cursor and from its end below, so that typing leaves them alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .assemble import Source
from .identifiers import terms
from .query import ANCHOR_LINES, MOST_LINES, Query
from .window import Window

WINDOW_LINES, WINDOW_STEP = 10, 5
"""Long enough for a call with what leads to it; twice as many lines find less per token."""
PASSAGES = 16
"""Windows that are taken; more do not fit any budget."""
SEARCHED = 40
"""Windows that an index is asked for, to be weighed anew by how near the cursor the terms stand."""
_LIKELY = 6.0
"""What a whole line of the query counts, where a term counts its rarity (0 to about 8)."""
_SATURATION, _LENGTH, _USUAL_TERMS = 1.2, 0.5, 45.0
"""BM25's k1 and b, and the distinct terms of a usual window."""
_REPEATED = 0.6
"""A window of which more than this stands in the prompt or another window is left out."""
_LEAST_LINE = 8
"""Shorter lines (``else:``, ``}``) are everywhere."""
_REACH_BEFORE, _REACH_AFTER, _REACH_STEP = 2_500, 700, 1_000
"""Characters that a prompt shows around the cursor, where nobody says; the upper edge moves in
steps, like a prompt's."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A window of a file that matched a search; the best score is the highest."""

    path: str
    first: int
    last: int
    text: str
    score: float


@lru_cache(maxsize=16_384)
def _terms(line: str) -> tuple[str, ...]:
    """A line's terms; while somebody types, nearly all lines are those of the last query."""
    return tuple(terms(line))


def best_passages(
    query: Query,
    found: Sequence[Passage],
    rarity: Mapping[str, float],
    source: Source,
    shown: Window | None,
) -> list[Passage]:
    """The windows that say most, best first: of ``found``, and of what ``source`` has unseen.

    ``rarity`` has each of the query's terms; ``shown`` is what the prompt has of the document.
    """
    weighing = _Weighing(query, rarity)
    own = _Document.of(source, shown)
    scored = [
        (-weighing.score(lines), path, first, lines)
        for path, first, lines in (
            *((one.path, one.first, one.text.split("\n")) for one in found),
            *own.windows(),
        )
    ]
    scored.sort(key=lambda one: one[:3])
    kept: list[Passage] = []
    seen = set(own.visible)
    for negative, path, first, lines in scored:
        if negative >= 0:
            break
        stripped = (line.strip() for line in lines)
        telling = [line for line in stripped if len(line) >= _LEAST_LINE]
        repeated = sum(line in seen for line in telling)
        if not telling or repeated > _REPEATED * len(telling):
            continue
        last = first + len(lines) - 1
        if any(k.path == path and k.first <= last and first <= k.last for k in kept):
            continue
        seen.update(telling)
        kept.append(Passage(path, first, last, "\n".join(lines), -negative))
        if len(kept) == PASSAGES:
            break
    return kept


class _Weighing:
    """BM25 of weighted terms, and what whole lines have in common with the query."""

    def __init__(self, query: Query, rarity: Mapping[str, float]) -> None:
        self._weights = {
            term: weight * rarity.get(term, 0.0) for term, weight in query.terms.items()
        }
        self._likely = query.likely
        self._lines: dict[str, tuple[int, tuple[str, ...], float]] = {}

    def score(self, lines: Sequence[str]) -> float:
        """What a window says."""
        counts: dict[str, int] = {}
        size, bonus, known = 0, 0.0, self._lines
        for line in lines:
            length, telling, worth = known.get(line) or self._read(line)
            size += length
            bonus += worth
            for term in telling:
                counts[term] = counts.get(term, 0) + 1
        if not counts:
            return bonus
        weights = self._weights
        damping = _SATURATION * (1 - _LENGTH + _LENGTH * size / _USUAL_TERMS)
        return bonus + sum(
            weights[term] * number * (1 + _SATURATION) / (number + damping)
            for term, number in counts.items()
        )

    def _read(self, line: str) -> tuple[int, tuple[str, ...], float]:
        """How many terms a line has, those that count, and what it is worth as a whole.

        Windows overlap, so every line is asked for twice.
        """
        words, stripped = _terms(line), line.strip()
        worth = 0.0
        if len(stripped) >= _LEAST_LINE:
            worth = _LIKELY * self._likely.get(stripped, 0.0)
        telling = tuple(filter(self._weights.__contains__, words))
        self._lines[line] = found = len(words), telling, worth
        return found


@dataclass(frozen=True, slots=True)
class _Document:
    """The whole lines of a document that the prompt does not show, and those that it does."""

    path: str
    above: Sequence[str]
    below: Sequence[str]
    visible: frozenset[str]
    distance: int
    """Lines from the document's start to where ``below`` begins."""

    @classmethod
    def of(cls, source: Source, shown: Window | None) -> "_Document":
        before, after = source.before, source.after
        if shown is None:
            start = max(0, len(before) - _REACH_BEFORE) // _REACH_STEP * _REACH_STEP
            end = min(len(after), _REACH_AFTER)
        else:
            start, end = len(before) - len(shown.prefix), len(shown.suffix)
        # A line that is shown in part counts as shown.
        start = before.rfind("\n", 0, start) + 1
        end = after.find("\n", max(0, end - 1)) + 1 or len(after)
        above, prefix = before[:start].split("\n")[:-1], before[start:].split("\n")[:-1]
        below, suffix = after[end:].split("\n"), after[:end].split("\n")[1:]
        anchored = len(above) + len(prefix)
        prefix = prefix[: max(0, anchored // ANCHOR_LINES * ANCHOR_LINES - len(above))]
        return cls(
            source.path,
            above,
            below,
            frozenset(line.strip() for line in (*prefix, *suffix)),
            anchored + after.count("\n", 0, end),
        )

    def windows(self) -> Iterator[tuple[str, int, Sequence[str]]]:
        """Windows like an index has them: path, first line, lines."""
        first = max(0, len(self.above) - MOST_LINES) // WINDOW_STEP * WINDOW_STEP
        for start in range(first, len(self.above) - WINDOW_STEP + 1, WINDOW_STEP):
            yield self.path, start, self.above[start : start + WINDOW_LINES]
        for end in range(len(self.below), WINDOW_STEP - 1, -WINDOW_STEP):
            start = max(0, end - WINDOW_LINES)
            if end <= MOST_LINES:
                yield self.path, self.distance + start, self.below[start:end]
