"""What is never learned from: it chooses the weights that are kept, and how strongly they serve."""

import math
from collections.abc import Sequence

import torch
from accelerate.utils import reduce
from peft import PeftModel

from lsp_server.prompt.pieces import PieceIndex

from .config import RecipeConfig
from .material import Material
from .trainee import Trainee


class HeldOut:
    """A material's held-out samples, cut once; every process measures its part of them."""

    def __init__(self, trainee: Trainee, material: Material, config: RecipeConfig) -> None:
        processes = trainee.processes
        mine = material.heldout[processes.process_index :: processes.num_processes]
        self._trainee = trainee
        pieces = PieceIndex(material.pieces)
        self._batches = list(
            trainee.cut(mine, config.micro_tokens, prompt_weight=0.0, pieces=pieces)
        )

    def loss(self) -> float:
        """Mean cross entropy of all processes' answers, in nats per token.

        Over the tokens that the gate scores, and as it does: those that end the answers count, and
        those that repeat what healing took back count as healing chooses them.
        """
        sums = self._trainee.measured(self._batches).float().to(self._trainee.device)
        total, count = reduce(sums, "sum").tolist()
        return float(total / max(count, 1.0))


class Remembered:
    """A material's general samples, each by itself, as the gate counts spans; cut once."""

    def __init__(self, trainee: Trainee, material: Material, config: RecipeConfig) -> None:
        processes = trainee.processes
        mine = material.general[processes.process_index :: processes.num_processes]
        self._trainee = trainee
        pieces = PieceIndex(material.pieces)
        self._each = [
            list(trainee.cut([it], config.micro_tokens, prompt_weight=0.0, pieces=pieces))
            for it in mine
        ]

    def loss_at(self, scale: float) -> float:
        """Mean over all processes' samples of their answers' nats per token, with the adapter at
        that strength.
        """
        sums = torch.zeros(2, dtype=torch.float64)
        with self._trainee.at(scale):
            for batches in self._each:
                total, count = self._trainee.measured(batches)
                sums += torch.stack([total / count, torch.ones_like(count)])
        total, count = reduce(sums.float().to(self._trainee.device), "sum").tolist()
        return float(total / max(count, 1.0))


def losses_at(
    scales: Sequence[float], trainee: Trainee, material: Material, config: RecipeConfig
) -> dict[float, float]:
    """Mean held-out loss of the trained adapter at other strengths, in nats per token.

    Only the first one where nothing is held out, or where it is no LoRA.
    """
    if not material.heldout or not isinstance(trainee.model, PeftModel):
        return {1.0: math.nan}
    heldout = HeldOut(trainee, material, config)
    losses = {}
    for scale in scales:
        with trainee.at(scale):
            losses[scale] = heldout.loss()
    return losses
