"""What is never learned from: it chooses the weights that are kept, and how strongly they serve."""

from collections.abc import Callable, Sequence

import torch
from accelerate.utils import reduce
from peft import PeftModel
from torch import Tensor

from lsp_server.prompt.pieces import PieceIndex

from ..data.samples import Sample
from .config import RecipeConfig
from .material import Material
from .trainee import Trainee


class HeldOut:
    """Samples that are measured again and again, cut once; every process has its part of them."""

    def __init__(
        self,
        trainee: Trainee,
        samples: Sequence[Sample],
        pieces: Sequence[bytes],
        config: RecipeConfig,
    ) -> None:
        processes = trainee.processes
        mine = samples[processes.process_index :: processes.num_processes]
        self._trainee = trainee
        self._batches = list(
            trainee.cut(mine, config.micro_tokens, prompt_weight=0.0, pieces=PieceIndex(pieces))
        )

    def loss(self) -> float:
        """Mean cross entropy of all processes' answers, in nats per token.

        Over the tokens that the gate scores, and as it does: those that end the answers count, and
        those that repeat what healing took back count as healing chooses them.
        """
        return self._mean(self._trainee.measured(self._batches).sum(0))

    def loss_of_samples(self) -> float:
        """The same, in which every answer counts alike, however long: the gate's own mean."""
        each = self._trainee.measured(self._batches)
        means = each[:, 0] / each[:, 1]
        return self._mean(torch.stack([means, torch.ones_like(means)]).sum(1))

    def _mean(self, sums: Tensor) -> float:
        """Of a sum and a number, over all processes."""
        total, count = reduce(sums.float().to(self._trainee.device), "sum").tolist()
        return float(total / max(count, 1.0))


def losses_at(
    scales: Sequence[float], trainee: Trainee, material: Material, config: RecipeConfig
) -> dict[float, float]:
    """Mean held-out loss of the trained adapter at other strengths, in nats per token.

    None where nothing is held out, or where it is no adapter.
    """
    if not material.heldout or not isinstance(trainee.model, PeftModel):
        return {}
    heldout = HeldOut(trainee, material.heldout, material.pieces, config)
    losses = {}
    for scale in scales:
        with trainee.at(scale):
            losses[scale] = heldout.loss()
    return losses


def general_at(
    trainee: Trainee, material: Material, config: RecipeConfig
) -> Callable[[float], float]:
    """Measures general code at a strength of the adapter, in nats per token, as the gate does."""
    general = HeldOut(trainee, material.general, material.pieces, config)

    def loss_at(scale: float) -> float:
        with trainee.at(scale):
            return general.loss_of_samples()

    return loss_at
