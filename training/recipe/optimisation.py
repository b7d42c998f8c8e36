"""One optimiser step: how fast, by which rule, and the mean of what all processes computed."""

import math
from collections.abc import Sequence

import torch
from accelerate.utils import reduce
from torch import Tensor, nn

from .config import RecipeConfig


def schedule(done: float, step: float, config: RecipeConfig) -> float:
    """Share of the full learning rate when ``done`` (0 … 1) of a run is; ``step`` is one's share.

    It rises in equal steps, then falls as a cosine.
    """
    rise = max(step, config.warmup)
    if done <= rise:
        return done / rise
    falling = min(1.0, (done - rise) / max(step, 1 - rise))
    return config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * falling)) / 2


def optimizer_of(
    parameters: Sequence[nn.Parameter], config: RecipeConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW; for QLoRA on a GPU with 8-bit states that may be paged out to the host's memory."""
    options = {
        "lr": config.rate,
        "betas": (0.9, 0.99),
        "weight_decay": config.weight_decay,
    }
    if config.method == "qlora" and device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW8bit  # noqa: PLC0415 - absent on macOS

        return PagedAdamW8bit(parameters, **options)
    return torch.optim.AdamW(parameters, **options, fused=device.type == "cuda")


def average_gradients(
    parameters: Sequence[nn.Parameter], weight: Tensor, *, processes: int
) -> None:
    """Turn sums of gradients into means over the weight of all processes' tokens."""
    gradients = [it.grad for it in parameters if it.grad is not None]
    if processes > 1:
        flat = torch.cat([weight, *(gradient.flatten() for gradient in gradients)])
        parts = reduce(flat, "sum").split([1, *(gradient.numel() for gradient in gradients)])
        weight = parts[0]
        for gradient, part in zip(gradients, parts[1:], strict=True):
            gradient.copy_(part.view_as(gradient))
    torch._foreach_div_(gradients, weight.squeeze().clamp(min=1e-6))
