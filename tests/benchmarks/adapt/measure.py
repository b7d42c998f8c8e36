"""What a model would have answered greedily, read off one pass over the truth.

If at every place of the truth the likeliest token is the truth's, then greedy decoding gives it,
and nothing else; so exact match needs no generation. Token healing is the engine's own: while text
that was taken back is owed, the choice is among the tokens that it allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lsp_server.prompt.pieces import PieceIndex
from training.data.samples import Sample, Tokenizer
from training.recipe.trainee import Trainee

MOST_TOKENS = {"cuda": 65_536, "cpu": 4_096}


@dataclass(frozen=True, slots=True)
class Scored:
    """One place: sum of its answer's cross entropies (nats, its end included), tokens, matches.

    ``end`` is the last token's part of it, which tells that the answer stops here. ``exact`` is the
    whole answer and its end, ``first_line`` only that line.
    """

    nll: float
    end: float
    tokens: int
    exact: bool
    first_line: bool


@torch.no_grad()
def score(trainee: Trainee, samples: Sequence[Sample], tokenizer: Tokenizer) -> list[Scored]:
    """Score samples, in their order."""
    scored: dict[int, Scored] = {}
    order = sorted(range(len(samples)), key=lambda number: len(samples[number].tokens))
    device = trainee.device
    trainee.model.eval()
    position = 0
    ordered = [samples[number] for number in order]
    for batch in trainee.cut(ordered, MOST_TOKENS[device.type], prompt_weight=0.0):
        logits = torch.cat(list(trainee.logits(trainee.states(batch))))
        losses = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
        likeliest = logits.argmax(-1).tolist()
        at = 0
        for _ in range(batch.rows):
            number = order[position]
            sample = samples[number]
            size = len(sample.tokens) - sample.answer
            scored[number] = _scored(
                sample, tokenizer, likeliest[at : at + size], logits[at : at + size],
                losses[at : at + size],
            )  # fmt: skip
            at, position = at + size, position + 1
    trainee.model.train()
    return [scored[number] for number in range(len(samples))]


def _scored(
    sample: Sample, tokenizer: Tokenizer, likeliest: list[int], logits: Tensor, losses: Tensor
) -> Scored:
    truth = list(sample.tokens[sample.answer :])
    healed = _healed(sample.owed, truth, logits, tokenizer)
    likeliest = [*healed, *likeliest[len(healed) :]]
    exact = likeliest == truth
    first = exact or _line_right(truth, likeliest, tokenizer)
    return Scored(float(losses.sum()), float(losses[-1]), len(truth), exact, first)


def _healed(owed: bytes, truth: list[int], logits: Tensor, tokenizer: Tokenizer) -> list[int]:
    """What healing would choose along the truth, for as long as it owes text: see PieceIndex."""
    chosen: list[int] = []
    index = _index(tuple(tokenizer.pieces)) if owed else None
    while owed and index is not None and len(chosen) < len(truth):
        allowed = torch.from_numpy(index.allowed(owed)).to(logits.device)
        if not len(allowed):
            break
        chosen.append(int(allowed[logits[len(chosen)][allowed].argmax()]))
        piece = tokenizer.pieces[truth[len(chosen) - 1]]
        owed = owed[len(piece) :] if len(piece) < len(owed) else b""
    return chosen


@cache
def _index(pieces: tuple[bytes, ...]) -> PieceIndex:
    return PieceIndex(pieces)


def _line_right(truth: list[int], likeliest: list[int], tokenizer: Tokenizer) -> bool:
    """Whether the first line with text comes out, whatever follows it."""
    text = b"".join(tokenizer.pieces[token] for token in truth[:-1])
    line = text[: len(text) - len(text.lstrip(b"\n"))] + text.lstrip(b"\n").split(b"\n")[0]
    position = 0
    for token, said in zip(truth, likeliest, strict=True):
        if position >= len(line):
            return said == truth[-1] or tokenizer.pieces[said].lstrip(b" ").startswith(b"\n")
        if said != token:
            return False
        position += len(tokenizer.pieces[token])
    return True
