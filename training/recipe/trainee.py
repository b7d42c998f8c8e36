"""A frozen base with an adapter on it: how it is made, what it loses, how its loss is measured."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch._functorch.config as functorch
from accelerate import PartialState
from peft import AdaLoraConfig, LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from lsp_server.errors import SettingsError
from lsp_server.prompt.pieces import PieceIndex

from ..data.samples import Sample
from .batching import GRAIN, MicroBatch, micro_batches
from .config import RecipeConfig
from .fused import ADAPTER, fuse
from .losses import FrozenHeadLoss, head_of
from .memory import trimmer
from .ranks import RankPlan


def with_adapter(base: nn.Module, config: RecipeConfig, *, steps: int = 0) -> PeftModel:
    """A frozen base with the adapter that a configuration asks for, which changes nothing yet.

    ``steps`` is the run's length, which AdaLoRA plans its ranks by. Raises SettingsError for
    ``full``, which is no adapter (see :func:`unfrozen`), and for modules that the base lacks.
    """
    if config.method == "full":
        raise SettingsError(
            "the method 'full' changes the base itself, which no adapter holds; use 'lora'"
        )
    named = base.named_modules()
    linears = {name.rpartition(".")[2] for name, it in named if isinstance(it, nn.Linear)}
    if linears.isdisjoint(config.modules):
        raise SettingsError(
            f"recipe.modules: the base has none of {', '.join(config.modules)}; its own are "
            f"{', '.join(sorted(linears - {'lm_head'}))}"
        )
    torch.manual_seed(config.seed)
    shared: dict[str, Any] = {
        "lora_alpha": config.alpha * config.rank,
        "lora_dropout": config.dropout,
        "target_modules": list(config.modules),
        "task_type": "CAUSAL_LM",
    }
    if config.method == "adalora":
        lora: LoraConfig = AdaLoraConfig(
            init_r=config.rank + (config.rank + 1) // 2, target_r=config.rank,
            total_step=max(2, steps), tinit=steps // 10, tfinal=steps // 5, **shared,
        )  # fmt: skip
    else:
        lora = LoraConfig(r=config.rank, use_dora=config.method == "dora", **shared)
    return get_peft_model(base, lora)


def unfrozen(base: nn.Module) -> nn.Module:
    """A base whose layers learn themselves; its embeddings and its output map stay as they are."""
    base.model.layers.requires_grad_(requires_grad=True)
    return base


def reset(model: PeftModel, *, seed: int) -> None:
    """Start a LoRA again: it changes nothing, and its seed decides what it starts with.

    DoRA and AdaLoRA remember more than their factors; make new ones of these.
    """
    config = model.peft_config[ADAPTER]
    if config.use_dora or isinstance(config, AdaLoraConfig):
        raise ValueError("only a LoRA can be started again; make a new adapter")
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, LoraLayer) and ADAPTER in module.lora_A:
            module.reset_lora_parameters(ADAPTER, init_lora_weights=True)


class Trainee:
    """A model that is to learn; computes in bfloat16 on a GPU.

    ``processes`` are those that train together, ``ranks`` is AdaLoRA's plan, None for any other
    method. ``least_rows`` are those of a micro-batch: one row alone would be a shape of its own to
    a compiler.

    ``compiled`` compiles each layer. Then ``kept`` is how much of what the layers make is kept for
    the backward pass, as a share of the memory that all of it would take; the rest is computed
    again, the cheapest first.
    """

    def __init__(self, model: nn.Module, *, compiled: bool = False, kept: float = 1.0) -> None:
        self.model = model
        self._causal = model.get_base_model() if isinstance(model, PeftModel) else model
        self._layers = self._causal.model.layers
        self.device: torch.device = self._causal.lm_head.weight.device
        self._give_back = trimmer() if self.device.type == "cpu" else lambda: None
        # Unless it is told so, accelerate sees no other processes on a CPU.
        self.processes = PartialState(cpu=self.device.type == "cpu")
        self._head = head_of(self._causal)
        self.ranks: RankPlan | None = None
        if isinstance(model, PeftModel):
            fuse(model)
            if isinstance(model.peft_config[ADAPTER], AdaLoraConfig):
                self.ranks = RankPlan(model)
        self.least_rows = 2 if compiled else 1
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

    def cut(
        self,
        samples: Iterable[Sample],
        most_tokens: int,
        *,
        prompt_weight: float,
        unlearned: frozenset[int] = frozenset(),
        pieces: PieceIndex | None = None,
    ) -> Iterator[MicroBatch]:
        """Samples as the micro-batches that suit the device, there."""
        for batch in micro_batches(
            samples,
            most_tokens=most_tokens,
            grain=GRAIN[self.device.type],
            prompt_weight=prompt_weight,
            unlearned=unlearned,
            least_rows=self.least_rows,
            pieces=pieces,
        ):
            self._give_back()
            yield batch.to(self.device)

    def states(self, batch: MicroBatch) -> Tensor:
        """What the output map reads at the batch's places, (N, width)."""
        with self._precision(), functorch.patch(activation_memory_budget=self._kept):
            states = self._causal.model(input_ids=batch.tokens, use_cache=False).last_hidden_state
        chosen: Tensor = states.flatten(0, 1)[batch.places]
        return chosen

    def logits(self, states: Tensor) -> Iterable[Tensor]:
        """Logits of states (N, width), chunk by chunk, each (n, vocabulary) in 32 bits."""
        with self._precision():
            for part in states.split(self._head.chunk):
                yield self._head(part).float()

    def losses(self, batch: MicroBatch, anchor: float = 0.0) -> tuple[Tensor, Tensor]:
        """``Σ w·CE`` over a batch, and every ``CE`` (N,), in nats.

        A part ``anchor`` of the targets is what the base says without the adapter: see
        :class:`FrozenHeadLoss`. A model without an adapter has no such base.
        """
        base = self._base_states(batch) if anchor else None
        return self._losses(self.states(batch), batch, base, anchor)

    @torch.no_grad()
    def _base_states(self, batch: MicroBatch) -> Tensor:
        with self.model.disable_adapter():
            return self.states(batch)

    def _losses(
        self, states: Tensor, batch: MicroBatch, base: Tensor | None = None, anchor: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        with self._precision():
            total, each = FrozenHeadLoss.apply(
                states, batch.targets, batch.weights, self._head, base, anchor
            )
        return total, each

    @torch.no_grad()
    def measured(self, batches: Sequence[MicroBatch]) -> Tensor:
        """Of every sample the sum of its answer's cross entropies, in nats, and the number of its
        tokens: (samples, 2).

        Where a batch knows what healing chooses among, a token is one of those, not of all.
        """
        found = [torch.zeros(0, 2, dtype=torch.float64)]
        self.model.eval()
        for batch in batches:
            states = self.states(batch)
            _, each = self._losses(states, batch)
            rows, each = (batch.places // batch.tokens.shape[1]).cpu(), each.double().cpu()
            for at, among in batch.choices:
                for logits in self.logits(states[at : at + 1]):
                    each[at] -= float(logits.logsumexp(-1) - logits[:, among].logsumexp(-1))
            sums = torch.zeros(batch.rows, 2, dtype=torch.float64)
            sums[:, 0].index_add_(0, rows, each)
            sums[:, 1] = torch.bincount(rows, minlength=batch.rows)
            found.append(sums)
        self.model.train()
        return torch.cat(found)

    @contextmanager
    def at(self, scale: float) -> Iterator[None]:
        """The adapter at another strength for a while."""
        layers = [it for it in self.model.modules() if isinstance(it, LoraLayer)]
        trained = [layer.scaling[ADAPTER] for layer in layers]
        for layer, own in zip(layers, trained, strict=True):
            layer.scaling[ADAPTER] = own * scale
        try:
            yield
        finally:
            for layer, own in zip(layers, trained, strict=True):
                layer.scaling[ADAPTER] = own

    def _precision(self) -> torch.autocast:
        gpu = self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=gpu)
