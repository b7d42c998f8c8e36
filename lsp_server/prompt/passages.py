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
    weights = {term: weight * rarity.get(term, 0.0) for term, weight in query.terms.items()}
    own = _Document.of(source, shown)
    scored = [
        Passage(one.path, one.first, one.last, one.text, _score(one.text, weights, query.likely))
        for one in (*found, *own.windows())
    ]
    scored.sort(key=lambda one: (-one.score, one.path, one.first))
    kept: list[Passage] = []
    seen = set(own.visible)
    for one in scored:
        lines = [line.strip() for line in one.text.split("\n")]
        telling = [line for line in lines if len(line) >= _LEAST_LINE]
        repeated = sum(line in seen for line in telling)
        if one.score <= 0 or not telling or repeated > _REPEATED * len(telling):
            continue
        if any(k.path == one.path and k.first <= one.last and one.first <= k.last for k in kept):
            continue
        seen.update(telling)
        kept.append(one)
        if len(kept) == PASSAGES:
            break
    return kept


def _score(text: str, weights: Mapping[str, float], likely: Mapping[str, float]) -> float:
    """BM25 of weighted terms, and what whole lines have in common with the query."""
    counts: dict[str, int] = {}
    size = 0
    lines = text.split("\n")
    bonus = 0.0
    for line in lines:
        if (stripped := line.strip()) in likely and len(stripped) >= _LEAST_LINE:
            bonus += _LIKELY * likely[stripped]
        for term in _terms(line):
            size += 1
            if term in weights:
                counts[term] = counts.get(term, 0) + 1
    damping = _SATURATION * (1 - _LENGTH + _LENGTH * size / _USUAL_TERMS)
    return bonus + sum(
        weights[term] * number * (1 + _SATURATION) / (number + damping)
        for term, number in counts.items()
    )


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

    def windows(self) -> Iterator[Passage]:
        """Windows like an index has them."""
        first = max(0, len(self.above) - MOST_LINES) // WINDOW_STEP * WINDOW_STEP
        for start in range(first, len(self.above) - WINDOW_STEP + 1, WINDOW_STEP):
            yield self._passage(self.above[start : start + WINDOW_LINES], start)
        for end in range(len(self.below), WINDOW_STEP - 1, -WINDOW_STEP):
            start = max(0, end - WINDOW_LINES)
            if end <= MOST_LINES:
                yield self._passage(self.below[start:end], self.distance + start)

    def _passage(self, lines: Sequence[str], first: int) -> Passage:
        return Passage(self.path, first, first + len(lines) - 1, "\n".join(lines), 0.0)
