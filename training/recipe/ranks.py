"""AdaLoRA's own part of a step: what keeps its vectors apart, and who loses ranks when."""

from typing import Any

import torch
from peft import AdaLoraConfig, PeftModel
from torch import Tensor

from .fused import ADAPTER

AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""PEFT's names for what a rank's importance is computed from."""


class RankPlan:
    """How the ranks of an AdaLoRA come down to the wanted mean over a run.

    PEFT plans by steps; a run that a clock ends plans by its share of the time, so positions may be
    skipped. Only the last, where the ranks are settled, must not be.
    """

    def __init__(self, model: PeftModel) -> None:
        self._model = model
        self._config: AdaLoraConfig = model.peft_config[ADAPTER]
        self._allocator = model.base_model.rankallocator
        self._last: int = self._config.total_step - self._config.tfinal
        self._at = 0

    def penalty(self) -> Tensor:
        """What AdaLoRA adds to a step's loss: how far the singular vectors are from orthogonal."""
        distances = []
        for name, parameter in self._model.named_parameters():
            if ".lora_A." in name or ".lora_B." in name:
                product = parameter @ parameter.T if ".lora_A." in name else parameter.T @ parameter
                unit = torch.eye(len(product), dtype=product.dtype, device=product.device)
                distances.append(torch.linalg.matrix_norm(product - unit))
        return self._config.orth_reg_weight * torch.stack(distances).mean()

    def allocate(self, done: float) -> None:
        """To be called when ``done`` (0 … 1) of a run is, while a step's gradients still are."""
        if self._at == self._last:
            at = self._last + 1  # settled; what the optimiser's momentum moved is masked again
        else:
            # The ranks cannot be settled before a step has said which of them matter.
            self._at = at = min(
                max(1, round(done * self._config.total_step)), self._last - (self._at == 0)
            )
        self._model.base_model.update_and_allocate(at)

    def state(self) -> dict[str, Any]:
        averages = {name: getattr(self._allocator, name) for name in AVERAGES}
        return averages | {"at": self._at, "pattern": self._config.rank_pattern}

    def restore(self, state: dict[str, Any]) -> None:
        self._at, self._config.rank_pattern = state["at"], state["pattern"]
        parameters = dict(self._model.base_model.model.named_parameters())
        for name in AVERAGES:
            on_device = {key: it.to(parameters[key].device) for key, it in state[name].items()}
            setattr(self._allocator, name, on_device)

    def release(self) -> None:
        """Let every rank be saved: the weights that are kept may be older than the last pattern.

        Ranks that lost their budget have a zero in E, which says as much.
        """
        self._config.rank_pattern = None
