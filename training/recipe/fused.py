"""PEFT's LoRA layers with another forward and backward pass: the same function, less work.

PEFT computes ``W·x``, ``A·x``, ``B(A·x)``, scales it, sums both, and autograd keeps what each made.
Here the low-rank part is added by the product that makes it, what is kept is the layer's input and
``A·x`` (r values a token), weights that are packed are unpacked again in the backward pass, and a
gradient of ``W`` is never thought of. PEFT still owns the parameters: how they are named, started
and saved.

Forming ``W + s·B·A`` and making one product with it is no slower, but a bfloat16 weight swallows
what is less than half of its last place: a difference of a thousandth of ``W`` loses half of
itself.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import Tensor, nn

ADAPTER = "default"
"""PEFT's name for the only adapter of a model."""


class LowRankLinear(torch.autograd.Function):
    """``W·x + s·B(A·x)`` for ``x`` (…, in), ``A`` (r, in), ``B`` (out, r), with gradients of these.

    ``packed`` is what :func:`unpacked` makes ``W`` (out, in) of.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, scale: float, *packed: Any) -> Tensor:
        flat = x.flatten(0, -2)
        low = flat @ a.to(x.dtype).T
        weight = unpacked(*packed).to(x.dtype)
        y = torch.addmm(F.linear(flat, weight), low, b.to(x.dtype).T, alpha=scale)
        ctx.save_for_backward(x, low, a, b, *(it for it in packed if isinstance(it, Tensor)))
        ctx.scale, ctx.layout = scale, [None if isinstance(it, Tensor) else it for it in packed]
        return y.unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = gradients
        x, low, a, b, *tensors = ctx.saved_tensors
        waiting = iter(tensors)
        packed = [next(waiting) if entry is None else entry for entry in ctx.layout]
        flat_x, flat_dy = x.flatten(0, -2), dy.flatten(0, -2)
        back = flat_dy @ b.to(dy.dtype)
        dx = None
        if ctx.needs_input_grad[0]:
            weight = unpacked(*packed).to(dy.dtype)
            dx = torch.addmm(flat_dy @ weight, back, a.to(dy.dtype), alpha=ctx.scale).view_as(x)
        da = (back.T @ flat_x).to(a.dtype) * ctx.scale
        db = (flat_dy.T @ low).to(b.dtype) * ctx.scale
        return dx, da, db, None, *(None for _ in packed)


def unpacked(weight: Tensor, *state: Any) -> Tensor:
    """``W`` as it is, or out of bitsandbytes' NF4 blocks with doubly quantised scales."""
    if not state:
        return weight
    scales, scales_code, scales_scale, offset, block, scales_block, shape, dtype = state
    operations = torch.ops.bitsandbytes
    absmax = operations.dequantize_blockwise(
        scales, scales_scale, scales_code, scales_block, torch.float32
    )
    return operations.dequantize_4bit(weight, absmax + offset, block, "nf4", shape, dtype)


def fuse(model: PeftModel) -> int:
    """Give every plain LoRA layer of a model this pass; returns how many.

    Layers with dropout, DoRA or another variant, or over other packed weights than NF4 with doubly
    quantised scales, keep PEFT's own.
    """
    layers = [module for module in model.modules() if _is_plain(module)]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _is_plain(module: Any) -> bool:
    is_lora = isinstance(module, Linear) or type(module).__name__ == "Linear4bit"
    if not is_lora or ADAPTER not in getattr(module, "lora_A", ()):
        return False
    if not isinstance(module.lora_A, nn.ModuleDict) or ADAPTER in module.lora_variant:
        return False
    if module.lora_bias[ADAPTER] or getattr(module, "fan_in_fan_out", False):
        return False
    state = getattr(module.get_base_layer().weight, "quant_state", None)
    if state is not None and not (state.quant_type == "nf4" and state.nested):
        return False
    return isinstance(module.lora_dropout[ADAPTER], nn.Identity)


def _forward(layer: Any, x: Tensor) -> Tensor:
    base = layer.get_base_layer()
    if layer.disable_adapters or layer.merged:
        plain: Tensor = base(x)
        return plain
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    y: Tensor = LowRankLinear.apply(x, a, b, layer.scaling[ADAPTER], *_packed(base.weight))
    return y if base.bias is None else y + base.bias.to(y.dtype)


def _packed(weight: Any) -> tuple[Any, ...]:
    """The arguments of :func:`unpacked` for a linear map's weight."""
    state = getattr(weight, "quant_state", None)
    if state is None:
        return (weight,)
    inner = state.state2
    return (
        weight, state.absmax, inner.code, inner.absmax, state.offset,
        state.blocksize, inner.blocksize, tuple(state.shape), state.dtype,
    )  # fmt: skip
