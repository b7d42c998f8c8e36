"""From logits to the next token: greedy, or drawn as OpenAI's parameters say. Pure numpy."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; the fields have OpenAI's names and meaning."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict)
    seed: int | None = None


class Sampler:
    """Draws the tokens of one answer; equal seeds over equal logits give equal tokens."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        # llama.cpp's clients send -1 for "any".
        seed = None if sampling.seed is None or sampling.seed < 0 else sampling.seed
        self._random = np.random.default_rng(seed)
        self._seen: Counter[int] = Counter()

    def draw(
        self, logits: NDArray[np.float32], allowed: NDArray[np.int64] | None = None
    ) -> tuple[int, float]:
        """The next token and its natural-log probability under the unpenalised model.

        ``logits`` has shape ``(vocabulary,)``; ``allowed`` limits the choice to these ids, and the
        probability is then one among them, as where an answer is scored: what healing rules out
        says nothing about how sure the model is.
        """
        scores = self._penalised(logits)
        if allowed is not None:
            scores = scores[allowed]
        chosen = self._choose(scores)
        token = int(allowed[chosen]) if allowed is not None else chosen
        self._seen[token] += 1
        among = logits if allowed is None else logits[allowed]
        return token, float(logits[token] - log_sum_exp(among))

    def _penalised(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        sampling = self._sampling
        if not sampling.logit_bias and not (
            sampling.presence_penalty or sampling.frequency_penalty
        ):
            return logits
        scores = logits.copy()
        for token, bias in sampling.logit_bias.items():
            scores[token] += bias
        for token, count in self._seen.items():
            scores[token] -= sampling.presence_penalty + count * sampling.frequency_penalty
        return scores

    def _choose(self, scores: NDArray[np.float32]) -> int:
        sampling = self._sampling
        if sampling.temperature <= 0 or sampling.top_k == 1:
            return int(np.argmax(scores))
        order = np.argsort(scores)[::-1]
        if sampling.top_k > 0:
            order = order[: sampling.top_k]
        ranked = scores[order].astype(np.float64) / sampling.temperature
        chances = np.exp(ranked - ranked[0])
        chances /= chances.sum()
        keep = chances >= sampling.min_p * chances[0]
        keep &= np.cumsum(chances) - chances < sampling.top_p
        chances = np.where(keep, chances, 0.0)
        return int(order[self._random.choice(len(order), p=chances / chances.sum())])


def log_sum_exp(logits: NDArray[np.float32]) -> float:
    """Logarithm of the sum of exponentials, without overflow."""
    peak = logits.max()
    return float(peak + np.log(np.exp(logits - peak).sum(dtype=np.float64)))


def top_logprobs(logits: NDArray[np.float32], count: int) -> list[tuple[int, float]]:
    """The ``count`` likeliest tokens with their natural-log probabilities, best first."""
    best = np.argpartition(logits, -count)[-count:]
    best = best[np.argsort(logits[best])[::-1]]
    total = log_sum_exp(logits)
    return [(int(token), float(logits[token]) - total) for token in best]
