"""A frozen base with an adapter on it: how it is made, what it loses, how its loss is measured."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch._functorch.config as functorch
from peft import AdaLoraConfig, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from .batching import MicroBatch
from .config import RecipeConfig
from .fused import ADAPTER, fuse
from .losses import FrozenHeadLoss, chunk_of, head_of


def with_adapter(base: nn.Module, config: RecipeConfig, *, steps: int = 0) -> PeftModel:
    """A frozen base with the adapter that a configuration asks for, which changes nothing yet.

    ``steps`` is the run's length, which AdaLoRA plans its ranks by.
    """
    torch.manual_seed(config.seed)
    shared: dict[str, Any] = {
        "lora_alpha": config.alpha * config.rank,
        "lora_dropout": config.dropout,
        "target_modules": list(config.modules),
        "task_type": "CAUSAL_LM",
    }
    if config.method == "adalora":
        lora: LoraConfig = AdaLoraConfig(
            init_r=config.rank + config.rank // 2, target_r=config.rank, total_step=max(1, steps),
            tinit=steps // 10, tfinal=steps // 5, **shared,
        )  # fmt: skip
    else:
        lora = LoraConfig(r=config.rank, use_dora=config.method == "dora", **shared)
    return get_peft_model(base, lora)


def unfrozen(base: nn.Module) -> nn.Module:
    """A base whose layers learn themselves; its embeddings and its output map stay as they are."""
    base.model.layers.requires_grad_(requires_grad=True)
    return base


def reset(model: PeftModel, *, seed: int) -> None:
    """Start the adapter again, as :func:`with_adapter` does."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.reset_lora_parameters(ADAPTER, init_lora_weights=True)


class Trainee:
    """A model that is to learn; computes in bfloat16 on a GPU.

    ``compiled`` compiles each layer. Then ``kept`` is how much of what the layers make is kept for
    the backward pass, as a share of the memory that all of it would take; the rest is computed
    again, the cheapest first.
    """

    def __init__(self, model: nn.Module, *, compiled: bool = False, kept: float = 1.0) -> None:
        self.model = model
        self._causal = model.get_base_model() if isinstance(model, PeftModel) else model
        self._layers = self._causal.model.layers
        self.device: torch.device = self._causal.lm_head.weight.device
        self._head = head_of(self._causal)
        self._chunk = chunk_of(self._causal.config.vocab_size, self.device)
        if isinstance(model, PeftModel):
            fuse(model)
        self._kept = kept
        if compiled:
            # So that the first layer is no special case, which would be compiled on its own.
            self._causal.enable_input_require_grads()
            for layer in self._layers:
                layer.compile(dynamic=True)
        model.train()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What learns."""
        return [it for it in self.model.parameters() if it.requires_grad]

    def states(self, batch: MicroBatch) -> Tensor:
        """What the output map reads at the batch's places, (N, width)."""
        with self._precision(), functorch.patch(activation_memory_budget=self._kept):
            states = self._causal.model(input_ids=batch.tokens, use_cache=False).last_hidden_state
        chosen: Tensor = states.flatten(0, 1)[batch.places]
        return chosen

    def logits(self, states: Tensor) -> Iterable[Tensor]:
        """Logits of states (N, width), chunk by chunk, each (n, vocabulary) in 32 bits."""
        with self._precision():
            for part in states.split(self._chunk):
                yield self._head(part).float()

    def losses(self, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """``Σ w·CE`` over a batch, and every ``CE`` (N,), in nats."""
        with self._precision():
            total, each = FrozenHeadLoss.apply(
                self.states(batch), batch.targets, batch.weights, self._head, self._chunk
            )
        return total, each

    @torch.no_grad()
    def measured(self, batches: Sequence[MicroBatch]) -> Tensor:
        """Sum of the answers' cross entropies, in nats, and the number of their tokens: (2,)."""
        sums = torch.zeros(2, dtype=torch.float64)
        self.model.eval()
        for batch in batches:
            _, each = self.losses(batch.to(self.device))
            sums += torch.tensor([float(each.sum()), float(len(each))], dtype=torch.float64)
        self.model.train()
        return sums

    @contextmanager
    def at(self, scale: float) -> Iterator[None]:
        """The adapter at another strength for a while."""
        layers = [it for it in self.model.modules() if isinstance(it, LoraLayer)]
        for layer in layers:
            layer.scaling[ADAPTER] *= scale
        try:
            yield
        finally:
            for layer in layers:
                layer.scaling[ADAPTER] /= scale

    def _precision(self) -> torch.autocast:
        gpu = self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=gpu)
