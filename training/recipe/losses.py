"""Cross entropy behind a frozen output map, at the tokens that count and nowhere else."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK_VALUES = 2**26
"""Most logits that are one tensor; 32 bits each."""

Head = Callable[[Tensor], Tensor]
"""States (N, width) to logits (N, vocabulary)."""


class FrozenHeadLoss(torch.autograd.Function):
    """``Σ wᵢ·CEᵢ`` over states (N, width), targets (N,), weights (N,); and each ``CEᵢ`` (N,) in nats.

    As the head learns nothing, the states' gradient is complete once a chunk's logits are there: it
    is computed at once, and the logits are dropped.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, targets: Tensor, weights: Tensor, head: Head, chunk: int
    ) -> tuple[Tensor, Tensor]:
        losses, gradients = [], []
        parts = (tensor.split(chunk) for tensor in (states, targets, weights))
        for state, target, weight in zip(*parts, strict=True):
            with torch.enable_grad():
                leaf = state.detach().requires_grad_()
                each = F.cross_entropy(head(leaf).float(), target, reduction="none")
                (gradient,) = torch.autograd.grad((each * weight).sum(), leaf)
            losses.append(each.detach())
            gradients.append(gradient)
        ctx.save_for_backward(torch.cat(gradients))
        each = torch.cat(losses)
        ctx.mark_non_differentiable(each)
        return (each * weights).sum(), each

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None, None, None


def head_of(model: nn.Module) -> Head:
    """A causal model's output map with its cap on logits, where the family has one."""
    cap = getattr(model.config, "final_logit_softcapping", None)

    def head(states: Tensor) -> Tensor:
        logits: Tensor = model.lm_head(states)
        return logits if cap is None else cap * torch.tanh(logits / cap)

    return head


def chunk_of(vocabulary: int, device: torch.device) -> int:
    """States whose logits are one tensor."""
    values = CHUNK_VALUES if device.type == "cuda" else CHUNK_VALUES // 4
    return max(1, values // vocabulary)
