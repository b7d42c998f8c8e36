"""From samples to right-padded tensors: micro-batches of like length, and nothing to mask.

Behind a causal model's last real token stands padding only, which no real token sees; so attention
needs no mask, which is its fastest form.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.samples import Sample


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What passes through the model at once: ``tokens`` (B, T) padded at the right.

    ``places`` (N,) are the flat indices into (B·T) of the tokens whose successor counts in the loss,
    ``targets`` (N,) those successors, ``weights`` (N,) what each counts, ``answers`` (N,) whether it
    belongs to an answer. ``size`` is the number of tokens without padding.
    """

    tokens: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor
    answers: Tensor
    size: int
    rows: int = 0

    def to(self, device: torch.device) -> "MicroBatch":
        moved = (
            getattr(self, name).to(device, non_blocking=True)
            for name in ("tokens", "places", "targets", "weights", "answers")
        )
        return MicroBatch(*moved, self.size, self.rows)


def micro_batches(
    samples: Iterable[Sample],
    *,
    most_tokens: int,
    grain: int,
    prompt_weight: float,
    unlearned: frozenset[int] = frozenset(),
) -> Iterator[MicroBatch]:
    """Cut a step's samples into micro-batches of at most ``most_tokens``, padding included.

    Lengths are rounded up to ``grain``, so that few shapes occur. Control tokens in ``unlearned``
    stand only in prompts and are never to be predicted.
    """
    ordered = sorted(samples, key=lambda sample: len(sample.tokens))
    group: list[Sample] = []
    for sample in ordered:
        length = _rounded(len(sample.tokens), grain)
        if group and length * (len(group) + 1) > most_tokens:
            yield _stacked(group, grain, prompt_weight, unlearned)
            group = []
        group.append(sample)
    if group:
        yield _stacked(group, grain, prompt_weight, unlearned)


def _rounded(length: int, grain: int) -> int:
    return -(-length // grain) * grain


def _stacked(
    samples: Sequence[Sample], grain: int, prompt_weight: float, unlearned: frozenset[int]
) -> MicroBatch:
    width = _rounded(max(len(sample.tokens) for sample in samples), grain)
    # One row alone would be a shape of its own to a compiler.
    tokens = torch.zeros(max(2 if grain > 8 else 1, len(samples)), width, dtype=torch.long)
    closed = torch.tensor(sorted(unlearned), dtype=torch.long)
    places, weights, answers = [], [], []
    for row, sample in enumerate(samples):
        size = len(sample.tokens)
        tokens[row, :size] = torch.tensor(sample.tokens)
        first = max(0, sample.answer - 1)  # the token that predicts the answer's first
        at = torch.arange(0 if prompt_weight else first, size - 1)
        answer = at >= first
        at, answer = _kept(at, answer, answer | ~torch.isin(tokens[row, at + 1], closed))
        places.append(row * width + at)
        answers.append(answer)
        weights.append(torch.where(answer, 1.0, prompt_weight))
    where = torch.cat(places)
    return MicroBatch(
        tokens,
        where,
        tokens.flatten()[where + 1],
        torch.cat(weights),
        torch.cat(answers),
        sum(len(sample.tokens) for sample in samples),
        len(samples),
    )


def _kept(at: Tensor, answer: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    return at[kept], answer[kept]
