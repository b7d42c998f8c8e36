"""Cross entropy behind a frozen output map, at the tokens that count and nowhere else."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, nn

CHUNK_VALUES = 2**26
"""Most logits that are one tensor; 32 bits each."""


@dataclass(frozen=True, slots=True)
class Head:
    """A causal model's output map: states (N, width) to logits (N, vocabulary).

    ``cap`` bounds the logits, where the family does; ``chunk`` states at most go through at once.
    """

    linear: nn.Module
    chunk: int
    cap: float | None = None

    def __call__(self, states: Tensor) -> Tensor:
        logits: Tensor = self.linear(states)
        return logits if self.cap is None else self.cap * torch.tanh(logits / self.cap)


class FrozenHeadLoss(torch.autograd.Function):
    """``Σ wᵢ·CEᵢ`` of states (N, width), targets (N,), weights (N,); and every ``CEᵢ`` (N,).

    As the head learns nothing, the states' gradient is complete once a chunk's logits are there: it
    is computed at once, where it will be wanted, and the logits are dropped.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, targets: Tensor, weights: Tensor, head: Head
    ) -> tuple[Tensor, Tensor]:
        learns = ctx.needs_input_grad[0]
        losses, gradients = [], []
        parts = (tensor.split(head.chunk) for tensor in (states, targets, weights))
        for state, target, weight in zip(*parts, strict=True):
            with torch.set_grad_enabled(learns):
                leaf = state.detach().requires_grad_(learns)
                each = F.cross_entropy(head(leaf).float(), target, reduction="none")
                if learns:
                    gradients += torch.autograd.grad((each * weight).sum(), leaf)
            losses.append(each.detach())
        if learns:
            ctx.save_for_backward(torch.cat(gradients))
        each = torch.cat(losses)
        ctx.mark_non_differentiable(each)
        return (each * weights).sum(), each

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None, None


def head_of(model: nn.Module) -> Head:
    """A causal model's, in chunks that its device has room for."""
    linear = model.lm_head
    values = CHUNK_VALUES if linear.weight.device.type == "cuda" else CHUNK_VALUES // 4
    cap = getattr(model.config, "final_logit_softcapping", None)
    return Head(linear, max(1, values // model.config.vocab_size), cap)
