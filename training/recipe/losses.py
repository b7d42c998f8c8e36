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

    With ``base``, the states (N, width) of a model that is to stay near, a part ``anchor`` of each
    target is not the truth but what that model says: ``Σ wᵢ·((1 - anchor)·CEᵢ + anchor·H(qᵢ, pᵢ))``
    with its distribution ``q``. That bounds how sure of itself a model becomes of what it has read
    a few times (soft targets: Hinton et al. 2015, arXiv 1503.02531).

    As the head learns nothing, the states' gradient is complete once a chunk's logits are there: it
    is computed at once, where it will be wanted, and the logits are dropped.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes no keywords
        ctx: Any,
        states: Tensor,
        targets: Tensor,
        weights: Tensor,
        head: Head,
        base: Tensor | None = None,
        anchor: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        learns = ctx.needs_input_grad[0]
        losses, gradients, total = [], [], weights.new_zeros(())
        parts = [tensor.split(head.chunk) for tensor in (states, targets, weights)]
        nears = [None] * len(parts[0]) if base is None else base.split(head.chunk)
        for state, target, weight, near in zip(*parts, nears, strict=True):
            with torch.set_grad_enabled(learns):
                leaf = state.detach().requires_grad_(learns)
                log_likelihoods = head(leaf).float().log_softmax(-1)
                loss = each = F.nll_loss(log_likelihoods, target, reduction="none")
                if near is not None:
                    soft = -(_said(near, head) * log_likelihoods).sum(-1)
                    loss = torch.lerp(each, soft, anchor)
                part = (loss * weight).sum()
                if learns:
                    gradients += torch.autograd.grad(part, leaf)
            losses.append(each.detach())
            total += part.detach()
        if learns:
            ctx.save_for_backward(torch.cat(gradients))
        each = torch.cat(losses)
        ctx.mark_non_differentiable(each)
        return total, each

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None, None, None, None


@torch.no_grad()
def _said(states: Tensor, head: Head) -> Tensor:
    """The distribution (n, vocabulary) that a model gives at its states (n, width)."""
    return head(states).float().softmax(-1)


def head_of(model: nn.Module) -> Head:
    """A causal model's, in chunks that its device has room for."""
    linear = model.lm_head
    values = CHUNK_VALUES if linear.weight.device.type == "cuda" else CHUNK_VALUES // 4
    cap = getattr(model.config, "final_logit_softcapping", None)
    return Head(linear, max(1, values // model.config.vocab_size), cap)
