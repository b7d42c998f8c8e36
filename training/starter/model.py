"""The base with its low-rank difference, over batches of packed rows: states and losses.

On a GPU a layer is compiled once and run for all layers: seconds of compiling, where the model as a
whole takes minutes.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor

from .llama import (
    LlamaConfig,
    LlamaWeights,
    Mask,
    block,
    document_mask,
    joined_linears,
    rotation,
)
from .lowrank import LowRank

LOSS_CHUNK = 16_384
"""Tokens whose logits (49,152 each) are one tensor: fewer than 2^31 elements, which kernels index
fast."""

Batch = Mapping[str, Tensor]
"""Arrays of :class:`training.data.packing.Row` by name, stacked: each (B, T)."""


class Model:
    """Computes in ``dtype`` on the device where the weights are.

    ``rounded`` may be switched between steps: then the linear maps are rounded to Q4_0.
    """

    def __init__(
        self,
        sizes: LlamaConfig,
        weights: LlamaWeights,
        adapter: LowRank,
        *,
        dtype: torch.dtype,
        compiled: bool,
    ) -> None:
        self.rounded = False
        self._sizes, self._weights, self._adapter, self._dtype = sizes, weights, adapter, dtype
        self._embedding = weights.embedding.to(dtype)
        self._output_norm = weights.output_norm.to(dtype)
        self._norms = [
            (attention.to(dtype), feed_forward.to(dtype))
            for attention, feed_forward in zip(
                weights.norms["attn_norm"], weights.norms["ffn_norm"], strict=True
            )
        ]
        self._block, self._token_losses, self._mask = block, token_losses, document_mask
        if compiled:
            self._block = torch.compile(block, dynamic=False)
            self._token_losses = torch.compile(token_losses, dynamic=False)
            self._mask = torch.compile(document_mask, dynamic=False)

    def losses(self, batch: Batch) -> Tensor:
        """Cross entropy of every token's successor in nats, (B, T), float32."""
        device = self._embedding.device
        tokens, targets, positions, documents = (
            batch[name].to(device, non_blocking=True)
            for name in ("tokens", "targets", "positions", "documents")
        )
        states = self.states(tokens, positions, self._mask(documents))
        output = self._adapter.output(self._embedding)
        flat = torch.split(states.flatten(0, 1), LOSS_CHUNK)
        chunks = zip(flat, torch.split(targets.flatten(), LOSS_CHUNK), strict=True)
        parts = [self._token_losses(part, output, target) for part, target in chunks]
        return torch.cat(parts).view(targets.shape)

    def states(self, tokens: Tensor, positions: Tensor, mask: Mask) -> Tensor:
        """What the output map reads, (B, T, width)."""
        linears = self._adapter.linears(self._weights, self._dtype, rounded=self.rounded)
        turn = rotation(self._sizes, positions)
        states = self._adapter.embed(self._embedding, tokens)
        for layer, norms in zip(joined_linears(linears), self._norms, strict=True):
            states = self._block(states, layer, norms, turn, mask=mask, config=self._sizes)
        return F.rms_norm(states, (self._sizes.width,), self._output_norm, self._sizes.norm_epsilon)

    @torch.no_grad()
    def answer_loss(self, batches: Sequence[Batch]) -> float:
        """Mean cross entropy over the answers of some batches, in nats."""
        total = counted = 0.0
        for batch in batches:
            answers = batch["answers"].to(self._embedding.device)
            total += float((self.losses(batch) * answers).sum())
            counted += float(answers.sum())
        return total / max(counted, 1.0)


def token_losses(states: Tensor, output: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of (N, width) states against (N,) targets, in nats."""
    return F.cross_entropy(F.linear(states, output).float(), targets, reduction="none")
