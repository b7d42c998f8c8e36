"""From samples to right-padded tensors: micro-batches of like length, and nothing to mask.

Behind a causal model's last real token stands padding only, which no real token sees; so attention
needs no mask, which is its fastest form.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from lsp_server.prompt.pieces import PieceIndex

from ..data.samples import Sample

GRAIN = {"cuda": 128, "cpu": 32}
"""Lengths are multiples of so many tokens, so that a GPU sees few shapes."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What passes through the model at once: ``tokens`` (B, T) padded at the right.

    ``places`` (N,) are the flat indices into (B·T) of the tokens whose successor counts in the
    loss, ``targets`` (N,) those successors, ``weights`` (N,) what each counts, ``answers`` (N,)
    whether it belongs to an answer. ``size`` is the number of tokens without padding, ``rows`` that
    of the samples, which are the first rows, shortest first. ``choices`` are the indices into (N,)
    at which token healing decides what may stand there, with the ids that it chooses among; they
    are known only of what is held out.
    """

    tokens: Tensor
    places: Tensor
    targets: Tensor
    weights: Tensor
    answers: Tensor
    size: int
    rows: int
    choices: tuple[tuple[int, Tensor], ...] = ()

    def to(self, device: torch.device) -> "MicroBatch":
        return replace(
            self,
            tokens=self.tokens.to(device, non_blocking=True),
            places=self.places.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            weights=self.weights.to(device, non_blocking=True),
            answers=self.answers.to(device, non_blocking=True),
            choices=tuple((at, ids.to(device, non_blocking=True)) for at, ids in self.choices),
        )


def micro_batches(
    samples: Iterable[Sample],
    *,
    most_tokens: int,
    grain: int,
    prompt_weight: float,
    unlearned: frozenset[int] = frozenset(),
    least_rows: int = 1,
    pieces: PieceIndex | None = None,
) -> Iterator[MicroBatch]:
    """Cut a step's samples into micro-batches of at most ``most_tokens``, padding included.

    A sample that is longer is a micro-batch of its own. Lengths are rounded up to ``grain``, so
    that few shapes occur; a micro-batch of fewer than ``least_rows`` is padded to as many, whatever
    ``most_tokens`` says. Control tokens in ``unlearned`` stand only in prompts and are never to be
    predicted. With ``pieces``, it is known what healing chooses among.
    """
    stack = partial(
        _stacked,
        prompt_weight=prompt_weight,
        unlearned=torch.tensor(sorted(unlearned), dtype=torch.long),
        least_rows=least_rows,
        pieces=pieces,
    )
    ordered = sorted(samples, key=lambda sample: len(sample.tokens))
    group: list[Sample] = []
    for sample in ordered:
        length = _rounded(len(sample.tokens), grain)
        if group and length * (len(group) + 1) > most_tokens:
            yield stack(group, _rounded(len(group[-1].tokens), grain))
            group = []
        group.append(sample)
    if group:
        yield stack(group, _rounded(len(group[-1].tokens), grain))


def _rounded(length: int, grain: int) -> int:
    return -(-length // grain) * grain


def _stacked(
    samples: Sequence[Sample],
    width: int,
    *,
    prompt_weight: float,
    unlearned: Tensor,
    least_rows: int,
    pieces: PieceIndex | None,
) -> MicroBatch:
    tokens = torch.zeros(max(least_rows, len(samples)), width, dtype=torch.long)
    places, weights, answers, choices = [], [], [], []
    counted = 0
    for row, sample in enumerate(samples):
        size = len(sample.tokens)
        tokens[row, :size] = torch.tensor(sample.tokens)
        first = max(0, sample.answer - 1)  # the token that predicts the answer's first
        at = torch.arange(0 if prompt_weight else first, size - 1)
        answer = at >= first
        learned = answer | ~torch.isin(tokens[row, at + 1], unlearned)
        at, answer = at[learned], answer[learned]
        counted += len(at)
        if pieces is not None:
            own = sample.tokens[sample.answer :]
            found = pieces.choices(sample.owed, own)
            # All of an answer counts, so its tokens are the last of its row.
            choices += [(counted - len(own) + n, torch.from_numpy(ids)) for n, ids in found]
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
        tuple(choices),
    )
