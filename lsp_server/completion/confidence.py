"""How sure a model was of what it wrote, as far as its engine tells. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scored:
    """A token of an answer: where its text ends in the whole, and its natural-log probability.

    One without text is what ended the answer, or, at its beginning, what healing took back.
    """

    end: int
    logprob: float


def placed(scores: Sequence[Scored], start: int) -> list[Scored]:
    """A chunk's tokens as tokens of an answer in which the chunk's text begins at ``start``."""
    return [Scored(start + score.end, score.logprob) for score in scores]


def log_probability(scores: Sequence[Scored], end: int, start: int = 0) -> float | None:
    """Natural logarithm of the probability that the model gave an answer up to the offset ``end``,
    and the token behind it: whether the answer ends there, or its line, was to be guessed too.
    With ``start``: if what stands before that offset is given.

    None where the engine does not tell. Tokens before the answer's first text repeat what healing
    took back, and do not count. It is the sum, not the mean: an answer is wrong if any of its
    tokens is, and the sum tells right ones from wrong ones better (``make bench-filters``).
    """
    total, told, at = 0.0, False, 0
    for score in scores:
        if score.end > start:
            total, told = total + score.logprob, True
        if score.end > end or at >= end:
            break
        at = score.end
    return total if told else None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an answer is held back: the tokens of all of it, and the bound that they do not reach."""

    scores: Sequence[Scored]
    least: float

    def remains(self, text: str, typed: int) -> bool:
        """Whether it does once the first ``typed`` characters of ``text`` are."""
        found = log_probability(self.scores, len(text.rstrip()), typed)
        return found is not None and found < self.least
