"""What the filters make of answers, and what that is worth. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lsp_server.completion.confidence import Scored, log_probability
from lsp_server.completion.extent import choose
from lsp_server.completion.filters.similar import is_telling
from lsp_server.completion.postprocess import FILTERS, Draft, Filter, Outcome, postprocess
from lsp_server.prompt.formats import FORMATS
from lsp_server.store.catalogue import load_catalogue

from .collecting import Answer
from .holes import Hole

MAX_LINES = 24


@dataclass(frozen=True, slots=True)
class Case:
    """A hole, what the model wrote, and the draft of it that serving would filter."""

    hole: Hole
    answer: Answer
    draft: Draft

    @classmethod
    def of(cls, hole: Hole, answer: Answer) -> "Case":
        scores, at = [], 0
        for token in answer.tokens:
            at += len(token.text)
            scores.append(Scored(at, token.logprob))
        draft = Draft(
            answer.text,
            hole.before,
            hole.after,
            choose(hole.before, hole.after, automatic=True),
            MAX_LINES,
            path=hole.path,
            finished=answer.finished,
            stops=FORMATS[load_catalogue()[answer.model].fim].stops,
            scores=scores,
        )
        return cls(hole, answer, draft)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a user would see at a hole, and its worth.

    ``sure`` is its natural-log probability, ``mean`` that per token.

    ``right`` is as :meth:`Hole.is_right` says, ``first`` the same of the first line alone,
    ``repeats`` whether a line of it stands directly below.
    """

    case: Case
    text: str
    sure: float
    mean: float
    right: bool
    first: bool
    repeats: bool


@dataclass(frozen=True, slots=True)
class Worth:
    """Counts over some holes."""

    holes: int
    shown: int
    right: int
    first: int
    repeats: int

    @classmethod
    def of(cls, holes: int, shown: Iterable[Shown]) -> "Worth":
        rows = list(shown)
        return cls(
            holes,
            len(rows),
            sum(row.right for row in rows),
            sum(row.first for row in rows),
            sum(row.repeats for row in rows),
        )

    @property
    def precision(self) -> float:
        return self.right / self.shown if self.shown else 0.0


def unfiltered(cases: Sequence[Case]) -> list[Shown]:
    """The answers as the model ended them."""
    outcomes = ((case, case.answer.text, 0) for case in cases)
    return [_shown(*entry) for entry in outcomes if entry[1].strip()]


def first_lines(cases: Sequence[Case]) -> list[Shown]:
    """The same without what follows the first line with text."""
    outcomes = ((case, _first_line(case.answer.text), 0) for case in cases)
    return [_shown(*entry) for entry in outcomes if entry[1].strip()]


def filtered(
    cases: Sequence[Case], least: float | None = None, without: Filter | None = None
) -> list[Shown]:
    """The answers as serving would show them, or without one of the filters."""
    filters = [apply for apply in FILTERS if apply is not without]
    found = []
    for case in cases:
        outcome: Outcome = postprocess(replace(case.draft, least_confidence=least), filters)
        if outcome.text.strip() and not outcome.doubt:
            found.append(_shown(case, outcome.text, outcome.replace))
    return found


def _shown(case: Case, text: str, replaced: int) -> Shown:
    hole = case.hole
    size = len(text.rstrip())
    sure = log_probability(case.draft.scores, size) or 0.0
    tokens = sum(score.end <= size for score in case.draft.scores if score.end) + 1
    return Shown(
        case,
        text,
        sure,
        sure / tokens,
        hole.is_right(text, replaced),
        hole.is_right(_first_line(text), replaced),
        _repeats(case, text),
    )


def _first_line(text: str) -> str:
    newline = text.find("\n", len(text) - len(text.lstrip()))
    return text if newline < 0 else text[:newline]


def _repeats(case: Case, text: str) -> bool:
    """Whether a line of a suggestion that says something is the next one below that does."""
    hole = case.hole
    if case.draft.rest.strip():
        below = case.draft.rest.strip()
        return is_telling(below) and below in text
    first, *others = text.split("\n")
    lines = [case.draft.line + first, *others] if first.strip() else others
    after = hole.after.partition("\n")[2].split("\n")
    next_line = next((line for line in after if line.strip()), "")
    return is_telling(next_line) and any(line.rstrip() == next_line.rstrip() for line in lines)


Statistic = Callable[[Shown], float]


def curve(
    shown: Sequence[Shown], statistic: Statistic, steps: Sequence[float]
) -> list[tuple[float, float, float]]:
    """(share of right answers that is kept, bound, precision above it) for each share."""
    right = sorted(statistic(row) for row in shown if row.right)
    points = []
    for kept in steps:
        bound = right[min(len(right) - 1, int((1 - kept) * len(right)))]
        above = [row for row in shown if statistic(row) >= bound]
        points.append((kept, bound, sum(row.right for row in above) / len(above)))
    return points
