"""How sure a model was of what it wrote, as far as its engine tells. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scored:
    """A piece of an answer as the model gave it: where its text ends in the whole, how many tokens
    it has, and the sum of their natural-log probabilities.
    """

    end: int
    tokens: int
    logprob: float


def confidence(scores: Sequence[Scored], end: int, start: int = 0) -> float | None:
    """Mean natural-log probability of the tokens of a part of an answer, and of the one behind it:
    whether the answer ends there, or its line, was to be guessed too.

    The part is ``start`` to ``end``, as offsets into the whole. None where the engine does not
    tell. Tokens before the answer's first text repeat what healing took back, and do not count.
    """
    total, tokens, at = 0.0, 0, 0
    for score in scores:
        if score.end > start:
            tokens += score.tokens
            total += score.logprob
        if score.end > end or (at >= end and score.tokens):
            break
        at = score.end
    return total / tokens if tokens else None
