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


def log_probability(scores: Sequence[Scored], end: int) -> float | None:
    """Natural logarithm of the probability that the model gave an answer up to the offset ``end``,
    and the token behind it: whether the answer ends there, or its line, was to be guessed too.

    None where the engine does not tell. Tokens before the answer's first text repeat what healing
    took back, and do not count. It is the sum, not the mean: an answer is wrong if any of its
    tokens is, and the sum tells right ones from wrong ones better (``make bench-filters``).
    """
    total, tokens, at = 0.0, 0, 0
    for score in scores:
        if score.end:
            tokens += score.tokens
            total += score.logprob
        if score.end > end or (at >= end and score.tokens):
            break
        at = score.end
    return total if tokens else None
