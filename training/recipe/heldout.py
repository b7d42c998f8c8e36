"""What is never learned from: it chooses the weights that are kept, and how strongly they serve."""

import math
import statistics
from collections.abc import Callable, Sequence

from accelerate.utils import gather_object, reduce
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

    def loss(self, scale: float = 1.0) -> float:
        """Mean cross entropy of all processes' answers, in nats per token, with the adapter at that
        strength.

        Over the tokens that the gate scores, and as it does: those that end the answers count, and
        those that repeat what healing took back count as healing chooses them.
        """
        return self._mean(self._measured(scale).sum(0))

    def loss_of_samples(self, scale: float = 1.0) -> float:
        """The same, in which every answer counts alike, however long: the gate's own mean."""
        return statistics.fmean(self.of_samples(scale) or [math.nan])

    def of_samples(self, scale: float = 1.0) -> list[float]:
        """Of every sample of all processes the mean cross entropy of its answer, in nats per token,
        in an order that is the same at every strength.
        """
        sums = self._measured(scale)
        return list(gather_object((sums[:, 0] / sums[:, 1]).tolist()))

    def _measured(self, scale: float) -> Tensor:
        with self._trainee.at(scale):
            return self._trainee.measured(self._batches)

    def _mean(self, sums: Tensor) -> float:
        """Of a sum and a number, over all processes."""
        total, count = reduce(sums.float().to(self._trainee.device), "sum").tolist()
        return float(total / max(count, 1.0))


def heldout_at(
    trainee: Trainee, material: Material, config: RecipeConfig
) -> Callable[[float], list[float]] | None:
    """Measures held-out code at a strength of the adapter: every sample, in nats per token.

    None where nothing is held out, or where it is no adapter.
    """
    if not material.heldout or not isinstance(trainee.model, PeftModel):
        return None
    return HeldOut(trainee, material.heldout, material.pieces, config).of_samples


def general_at(
    trainee: Trainee, material: Material, config: RecipeConfig
) -> Callable[[float], float]:
    """Measures general code at a strength of the adapter, in nats per token, as the gate does."""
    return HeldOut(trainee, material.general, material.pieces, config).loss_of_samples
