"""Samples of any length into rows of one length, each row full, each sample whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .samples import Sample

WAITING = 48
"""Samples that wait for a row with room for them; more fill rows better."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a token counts in the loss: of an answer, and of the prompt before it."""

    answer: float = 1.0
    prompt: float = 1.0


@dataclass(slots=True)
class Row:
    """One row of ``length`` tokens; every array has that shape.

    ``documents`` numbers the sample a token belongs to (0 is padding), ``positions`` count within
    it, ``targets`` is the next token of the same sample, ``weights`` what that token counts, and
    ``answers`` whether it belongs to an answer.
    """

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    positions: NDArray[np.int32]
    documents: NDArray[np.int32]
    weights: NDArray[np.float32]
    answers: NDArray[np.bool_]

    @classmethod
    def empty(cls, length: int) -> "Row":
        return cls(
            np.zeros(length, np.int64),
            np.zeros(length, np.int64),
            np.zeros(length, np.int32),
            np.zeros(length, np.int32),
            np.zeros(length, np.float32),
            np.zeros(length, np.bool_),
        )

    def place(self, sample: Sample, start: int, number: int, weights: Weights) -> int:
        """Lay a sample at ``start``; returns where the next one begins."""
        size = len(sample.tokens)
        end = start + size
        learnt = start + max(0, sample.answer - 1)  # the token that predicts the answer's first
        self.tokens[start:end] = sample.tokens
        self.targets[start : end - 1] = sample.tokens[1:]
        self.positions[start:end] = np.arange(size)
        self.documents[start:end] = number
        self.weights[start:learnt] = weights.prompt
        self.weights[learnt : end - 1] = weights.answer
        self.answers[learnt : end - 1] = True
        return end


def packed(
    samples: Iterable[Sample], length: int, weights: Weights, unlearned: frozenset[int]
) -> Iterator[Row]:
    """Rows of ``length`` tokens; a longer sample is left out.

    Every row takes the longest waiting sample that still fits, until none does. Tokens in
    ``unlearned`` (control tokens that only a prompt holds) are never a target that counts.
    """
    source = iter(samples)
    waiting: list[Sample] = []
    closed = np.fromiter(unlearned, np.int64)
    while True:
        row, start, number = Row.empty(length), 0, 1
        while True:
            while len(waiting) < WAITING and (sample := next(source, None)) is not None:
                if len(sample.tokens) <= length:
                    waiting.append(sample)
            room = length - start
            fitting = [sample for sample in waiting if len(sample.tokens) <= room]
            if not fitting:
                break
            # The first sample that waits opens the row, so that none waits for ever.
            chosen = waiting[0] if start == 0 else max(fitting, key=lambda it: len(it.tokens))
            waiting.remove(chosen)
            start, number = row.place(chosen, start, number, weights), number + 1
        if start == 0:
            return
        row.weights[np.isin(row.targets, closed)] = 0.0
        yield row
